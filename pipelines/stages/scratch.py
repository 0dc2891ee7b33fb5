"""Stage `scratch@task`: adapt a student without distillation as a baseline, once per seed."""

from pipelines.adaptation import adapt_from_scratch
from pipelines.cli import run
from pipelines.paths import MODELS
from textbook.params import Params


def main(params: Params, task: str) -> None:
    """Write the student from scratch as a Hugging Face folder."""
    adapt_from_scratch(params, task, MODELS / task / "scratch")


if __name__ == "__main__":
    run(main)
