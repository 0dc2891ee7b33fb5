"""Stage `task@t`: a labelled task with fixed column names, checked."""

from pipelines.stage import ASSETS, EXPECTATIONS, TASKS, VALIDATION, run
from textbook.assets import locate
from textbook.files import write_aside
from textbook.params import Params
from textbook.tasks.prepare import SPLITS, prepare_task, text_columns
from textbook.validation import validate


def task(params: Params, name: str) -> None:
    """Write the splits of the task `name`; they appear only when every expectation holds."""
    settings = params.task(name)
    with write_aside(TASKS / name) as aside:
        aside.mkdir()
        counts = prepare_task(name, settings, locate(ASSETS / settings.asset), aside)
        context = {"text": text_columns(settings), "labels": len(settings.labels)}
        splits = [aside / f"{split}.parquet" for split in SPLITS]
        validate(splits, EXPECTATIONS / "task.yaml", context, VALIDATION / f"task-{name}.html", f"Task {name}")
    print(f"{name}: {counts['train']:,} rows to learn from, {counts['validation']:,} to validate on")


if __name__ == "__main__":
    run(task)
