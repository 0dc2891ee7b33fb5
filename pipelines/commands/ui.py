"""`make ui`: the MLflow UI over the runs of this project."""

from typing import Annotated

import typer

from pipelines.cli import run
from textbook.params import Params
from tracking.server import serve


def main(params: Params, port: Annotated[int, typer.Argument(min=1, max=65535)] = 5000) -> None:
    """Serve the MLflow UI on this machine until Ctrl-C."""
    serve(port, params.tracking.experiment)


if __name__ == "__main__":
    run(main)
