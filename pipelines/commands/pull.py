"""`make pull`: fetch a registered model as a plain Hugging Face folder."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli import run
from textbook.errors import UserError
from tracking.pull import download, pull
from tracking.registry import CHAMPION
from tracking.store import connect
from tracking.within import best_within


def main(
    task: str,
    alias: Annotated[str, typer.Argument()] = CHAMPION,
    folder: Annotated[Path | None, typer.Argument(help="Where to write it; pulled/TASK by default.")] = None,
    *,
    max_ms: Annotated[float | None, typer.Option(help="The most CPU milliseconds per text.")] = None,
    max_mb: Annotated[float | None, typer.Option(help="The most megabytes.")] = None,
) -> None:
    """Fetch the version of a task's model with an ALIAS, or the best one within limits, and verify all its files."""
    target = folder or Path("pulled") / task
    if max_ms is None and max_mb is None:
        version = pull(task, alias, target)
    else:
        version = _pull_within(task, alias, target, max_ms, max_mb)
    print(f"{task} version {version} is in {target}. To use it:")
    print(f'  from transformers import pipeline; pipeline("text-classification", "{target.absolute()}")("…")')


def _pull_within(task: str, alias: str, target: Path, max_ms: float | None, max_mb: float | None) -> str:
    """Fetch the best version within the limits, say which it is, and return its number.

    Raises:
        UserError: a limit is not above 0, an alias was given too, or no version is within the limits.
    """
    for name, limit in (("MAX_MS", max_ms), ("MAX_MB", max_mb)):
        if limit is not None and not limit > 0:
            raise UserError(f"{name} = {limit:g}: must be a number above 0")
    if alias != CHAMPION:
        raise UserError(f"ALIAS = {alias}: must not be given with MAX_MS or MAX_MB, which choose a version themselves")
    best, without_figures = best_within(connect(), task, max_ms, max_mb)
    if without_figures:
        print(f"{task}: versions without figures on score, size and time are left out: {', '.join(without_figures)}")
    print(f"{task}: the best within the limits is {best}")
    download(best.version, target)
    return str(best.version.version)


if __name__ == "__main__":
    run(main)
