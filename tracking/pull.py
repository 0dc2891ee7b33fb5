"""Downloading a registered model as a plain Hugging Face folder."""

import shutil
import tempfile
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from requests import RequestException
from ruamel.yaml import YAML

from textbook.errors import UserError
from textbook.files import atomic_write
from tracking.registry import CHECKSUM, checksums
from tracking.store import connect

PICKLES = {".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"}


def pull(task: str, alias: str, folder: Path) -> str:
    """Download the version of a task's model with an alias, and verify all its files.

    `mlflow models serve -m FOLDER` can serve the folder.

    Returns:
        The version.

    Raises:
        UserError: there is no such model, its files are missing, or they differ from the registered ones.
    """
    client = connect()
    try:
        version = client.get_model_version_by_alias(task, alias)
    except MlflowException:
        names = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        raise UserError(
            f"no model {task!r} with the alias {alias!r} is registered (registered: {names});"
            f" to register this project's model, run `dvc repro --force --single-item register@{task}`"
        ) from None
    with tempfile.TemporaryDirectory() as name:
        try:
            downloaded = mlflow.artifacts.download_artifacts(f"models:/{task}/{version.version}", dst_path=name)
        except (MlflowException, RequestException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"model {task!r} version {version.version}: its files cannot be downloaded ({reason})"
            ) from None
        _verify(Path(downloaded), version)
        with atomic_write(folder) as temporary:
            _arrange(Path(downloaded), temporary)
    return str(version.version)


def _verify(source: Path, version: ModelVersion) -> None:
    """Check that a downloaded model has no pickles and exactly the registered files.

    Raises:
        UserError: it has pickles, or a file is missing, new or changed.
    """
    model = f"model {version.name!r} version {version.version}"
    pickled = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.suffix in PICKLES)
    if pickled:
        raise UserError(f"{model}: has pickle files, which can run arbitrary code: {', '.join(pickled)}")
    registered = {name: value for name, value in version.tags.items() if name.startswith(CHECKSUM)}
    downloaded = checksums(source)
    for name in sorted(registered.keys() | downloaded.keys()):
        if registered.get(name) != downloaded.get(name):
            raise UserError(
                f"{model}: file {name.removeprefix(CHECKSUM)} has the SHA-256 {downloaded.get(name, 'none (missing)')};"
                f" registered is {registered.get(name, 'none (no such file)')}"
            )


def _arrange(source: Path, target: Path) -> None:
    """Copy a model from MLflow's layout to one folder that both Hugging Face and MLflow can load."""
    tokenizer = Path("components", "tokenizer")
    shutil.copytree(source / "model", target)
    shutil.copytree(source / tokenizer, target, dirs_exist_ok=True)
    shutil.copytree(source / tokenizer, target / tokenizer)  # MLflow loads it from here
    for path in source.iterdir():
        if path.is_file():
            shutil.copy(path, target)
    yaml = YAML()
    description = yaml.load(target / "MLmodel")
    description["flavors"]["transformers"]["model_binary"] = "."
    yaml.dump(description, target / "MLmodel")
