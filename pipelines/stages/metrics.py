"""Stage `metrics`: the figures of all tasks in one file, for `dvc metrics`."""

from pipelines.cli import run
from pipelines.paths import EVALUATION, REPORTS
from textbook.files import read_json, write_json
from textbook.params import Params


def main(params: Params) -> None:
    """Write `reports/metrics.json`."""
    write_json(REPORTS / "metrics.json", {task: read_json(EVALUATION / f"{task}.json") for task in params.tasks})


if __name__ == "__main__":
    run(main)
