"""`make rollback`: make an earlier champion of a task champion again."""

from typing import Annotated

import typer

from pipelines.cli import run
from tracking.promotion import rollback
from tracking.store import connect


def main(task: str, version: Annotated[str, typer.Argument(help="The previous champion by default.")] = "") -> None:
    """Make a version of a task's model champion again."""
    before, after = rollback(connect(), task, version)
    print(f"{task}: version {after} is champion again and replaces version {before}")


if __name__ == "__main__":
    run(main)
