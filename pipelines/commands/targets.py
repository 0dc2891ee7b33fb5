"""The stages that `make quickstart TASK=tickets` runs."""

from pipelines.cli import run
from textbook.params import Params


def main(params: Params, task: str) -> None:
    """Print the last stage of one task, for `dvc repro`."""
    params.task(task)
    print(f"register@{task}")


if __name__ == "__main__":
    run(main)
