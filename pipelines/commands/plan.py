"""`make plan`: what will run, and about how long, how much disk and how much memory it takes."""

from typing import Annotated

import typer

from pipelines.cli import run
from pipelines.planning.plan import plan_stages
from pipelines.planning.show import announce, show_plan
from textbook.params import Params


def main(
    params: Params,
    targets: Annotated[list[str] | None, typer.Argument(metavar="STAGE…")] = None,
    *,
    short: bool = False,
) -> None:
    """Print what `dvc repro` would run now for the given stages, or for the whole pipeline, and what it takes.

    Args:
        short: in a few lines, and without an error if it cannot be told.
    """
    stages = targets or []
    if short:
        announce(lambda: plan_stages(params, stages))
    else:
        show_plan(plan_stages(params, stages))


if __name__ == "__main__":
    run(main)
