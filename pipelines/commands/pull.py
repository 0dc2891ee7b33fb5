"""`make pull`: fetch a registered model as a plain Hugging Face folder."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli import run
from tracking.pull import pull
from tracking.registry import CHAMPION


def main(
    task: str,
    alias: Annotated[str, typer.Argument()] = CHAMPION,
    folder: Annotated[Path | None, typer.Argument(help="Where to write it; pulled/TASK by default.")] = None,
) -> None:
    """Fetch the version of a task's model with an ALIAS, and verify all its files."""
    target = folder or Path("pulled") / task
    version = pull(task, alias, target)
    print(f"{task} version {version} is in {target}. To use it:")
    print(f'  from transformers import pipeline; pipeline("text-classification", "{target.absolute()}")("…")')


if __name__ == "__main__":
    run(main)
