"""`python -m tracking.pull TASK [ALIAS] [FOLDER]`: a registered model as a plain Hugging Face folder."""

import shutil
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from textbook.errors import UserError
from textbook.files import sha256, write_aside
from tracking.registry import CHAMPION, CHECKSUM
from tracking.store import connect

PICKLES = {".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt"}


def pull(task: str, alias: str, folder: Path) -> str:
    """Write the model that `alias` names to `folder`, checksum verified.

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
        raise UserError(f"no model {task!r} with the alias {alias!r} is registered (registered: {names})") from None
    with tempfile.TemporaryDirectory() as name:
        source = Path(mlflow.artifacts.download_artifacts(f"models:/{task}/{found.version}", dst_path=name))
        pickled = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.suffix in PICKLES)
        if pickled:
            raise UserError(
                f"model {task!r} version {found.version} holds pickles, which can run any code: {', '.join(pickled)}"
            )
        digest = sha256(source / "model" / "model.safetensors")
        if digest != found.tags.get(CHECKSUM):
            raise UserError(
                f"model {task!r} version {found.version}: its weights hash to {digest},"
                f" not to the registered {found.tags.get(CHECKSUM)}"
            )
        with write_aside(folder) as aside:
            shutil.copytree(source / "model", aside)
            shutil.copytree(source / "components" / "tokenizer", aside, dirs_exist_ok=True)
    return str(found.version)


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
