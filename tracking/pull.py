"""`python -m tracking.pull TASK [ALIAS] [FOLDER]`: a registered model as a plain Hugging Face folder."""

import shutil
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from requests import RequestException
from ruamel.yaml import YAML

from textbook.errors import UserError
from textbook.files import write_aside
from tracking.registry import CHAMPION, CHECKSUM, checksums
from tracking.store import connect

PICKLES = {".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"}


def pull(task: str, alias: str, folder: Path) -> str:
    """Write the model that `alias` names to `folder`, all its files verified.

    `mlflow models serve -m FOLDER` serves it, too.

    Returns:
        Its version.

    Raises:
        UserError: there is no such model, or what was downloaded isn't what was registered.
    """
    client = connect()
    try:
        found = client.get_model_version_by_alias(task, alias)
    except MlflowException:
        names = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        raise UserError(
            f"no model {task!r} with the alias {alias!r} is registered (registered: {names});"
            f" `dvc repro --force --single-item register@{task}` registers the one of this project"
        ) from None
    with tempfile.TemporaryDirectory() as name:
        try:
            downloaded = mlflow.artifacts.download_artifacts(f"models:/{task}/{found.version}", dst_path=name)
        except (MlflowException, RequestException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"model {task!r} version {found.version}: its files are gone ({reason})") from None
        _verify(Path(downloaded), found)
        with write_aside(folder) as aside:
            _arrange(Path(downloaded), aside)
    return str(found.version)


def _verify(source: Path, found: ModelVersion) -> None:
    """Refuse pickles, and files that are not those that were registered."""
    model = f"model {found.name!r} version {found.version}"
    pickled = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.suffix in PICKLES)
    if pickled:
        raise UserError(f"{model} holds pickles, which can run any code: {', '.join(pickled)}")
    registered = {name: value for name, value in found.tags.items() if name.startswith(CHECKSUM)}
    have = checksums(source)
    for name in sorted(registered.keys() | have.keys()):
        if registered.get(name) != have.get(name):
            raise UserError(
                f"{model}: its file {name.removeprefix(CHECKSUM)} hashes to {have.get(name, 'nothing, it is gone')},"
                f" not to the registered {registered.get(name, 'nothing, it was not there')}"
            )


def _arrange(source: Path, target: Path) -> None:
    """Copy a model in MLflow's layout to one folder that both Hugging Face and MLflow read."""
    tokenizer = Path("components", "tokenizer")
    shutil.copytree(source / "model", target)
    shutil.copytree(source / tokenizer, target, dirs_exist_ok=True)
    shutil.copytree(source / tokenizer, target / tokenizer)  # where MLflow looks for it
    for path in source.iterdir():
        if path.is_file():
            shutil.copy(path, target)
    yaml = YAML()
    description = yaml.load(target / "MLmodel")
    description["flavors"]["transformers"]["model_binary"] = "."
    yaml.dump(description, target / "MLmodel")


def main() -> None:
    """Pull as the command line says."""
    task, alias, folder = (*sys.argv[1:], *("", "", "")[len(sys.argv) - 1 :])
    try:
        if not task:
            raise UserError("name a task: make pull TASK=rotten_tomatoes [ALIAS=champion]")
        target = Path(folder or f"pulled/{task}")
        number = pull(task, alias or CHAMPION, target)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"{task} version {number} is in {target}; use it anywhere:")
    print(f'  from transformers import pipeline; pipeline("text-classification", "{target.absolute()}")("…")')


if __name__ == "__main__":
    main()
