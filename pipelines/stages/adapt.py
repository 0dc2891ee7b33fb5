"""Stage `adapt@task`: adapt the distilled student to the task, once per seed."""

from pipelines.adaptation import adapt_distilled
from pipelines.cli import run
from pipelines.paths import MODELS
from textbook.params import Params


def main(params: Params, task: str) -> None:
    """Write the adapted student as a Hugging Face folder."""
    adapt_distilled(params, task, MODELS / task / "distilled", MODELS / task / "student")


if __name__ == "__main__":
    run(main)
