"""Stage `metrics`: the figures of all tasks in one file, for `dvc metrics`."""

from pipelines.stage import EVALUATION, REPORTS, run
from textbook.files import read_json, write_json
from textbook.params import Params


def metrics(params: Params) -> None:
    """Write `reports/metrics.json`."""
    write_json(REPORTS / "metrics.json", {task: read_json(EVALUATION / f"{task}.json") for task in params.tasks})


if __name__ == "__main__":
    run(metrics)
