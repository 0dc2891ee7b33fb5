"""Downloading a registered model as a plain Hugging Face folder."""

import tempfile
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from requests import RequestException

from textbook.disk import is_disk_full
from textbook.errors import UserError
from textbook.files import atomic_write
from tracking.address import reason
from tracking.pulled import arrange, check_contents, check_names
from tracking.registry import CHALLENGER, CHAMPION, CHECKSUM, REASONS, checksums, not_registered, version_with_alias
from tracking.store import connect


def pull(task: str, alias: str, folder: Path) -> str:
    """Download the version of a task's model with an alias; see `download`.

    Returns:
        The version.

    Raises:
        UserError: there is no such model, or it cannot be downloaded.
    """
    client = connect()
    version = version_with_alias(client, task, alias)
    if version is None:
        if alias == CHAMPION and version_with_alias(client, task, CHALLENGER):
            raise UserError(
                f"model {task!r} has no {CHAMPION}, only a {CHALLENGER}, whose tag {REASONS} says why;"
                f" to fetch it all the same, run `make pull TASK={task} ALIAS={CHALLENGER}`"
            )
        raise not_registered(client, task, f" with the alias {alias!r}")
    download(version, folder)
    return str(version.version)


def download(version: ModelVersion, folder: Path) -> None:
    """Download a version, and verify all its files. `mlflow models serve -m FOLDER` can serve the folder.

    The hashes of the files are tags of the version. They show that a file was damaged or replaced in the artefact
    store. They do not protect from someone who may write to the registry, and could change the tags too: such a person
    decides what the model answers. But no code of theirs runs, because only files that hold data are taken (`pulled`).

    Raises:
        UserError: its files are missing or differ from the registered ones, or it has files that no model of this
            project has.
    """
    model, uri = f"model {version.name!r} version {version.version}", f"models:/{version.name}/{version.version}"
    with tempfile.TemporaryDirectory() as name:
        try:
            downloaded = Path(mlflow.artifacts.download_artifacts(uri, dst_path=name))
        except (MlflowException, RequestException, OSError) as error:
            if is_disk_full(error):
                raise
            raise UserError(f"{model}: its files cannot be downloaded ({reason(error)})") from None
        check_names(downloaded, model)
        _verify(downloaded, version, model)
        check_contents(downloaded, model)
        with atomic_write(folder) as temporary:
            arrange(downloaded, temporary, model)


def _verify(source: Path, version: ModelVersion, model: str) -> None:
    """Check that a downloaded model has exactly the registered files.

    Raises:
        UserError: a file is missing, new or changed.
    """
    registered = {name: value for name, value in version.tags.items() if name.startswith(CHECKSUM)}
    downloaded = checksums(source)
    for name in sorted(registered.keys() | downloaded.keys()):
        if registered.get(name) != downloaded.get(name):
            raise UserError(
                f"{model}: file {name.removeprefix(CHECKSUM)} has the SHA-256 {downloaded.get(name, 'none (missing)')};"
                f" registered is {registered.get(name, 'none (no such file)')}"
            )
    if not registered:
        raise UserError(f"{model}: has no files")
