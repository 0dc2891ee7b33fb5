"""Stage `task@t`: a labelled task with fixed column names, checked."""

from pipelines.stage import ASSETS, EXPECTATIONS, TASKS, VALIDATION, run
from textbook.assets import locate
from textbook.files import write_aside
from textbook.params import Params
from textbook.tasks.prepare import TRAIN, prepare_task, text_columns, validation_splits
from textbook.validation import validate


def task(params: Params, name: str) -> None:
    """Write the splits of the task `name`; they appear only when every expectation holds."""
    settings = params.task(name)
    with write_aside(TASKS / name) as aside:
        aside.mkdir()
        counts = prepare_task(name, settings, locate(ASSETS / settings.asset), aside)
        context = {"text": text_columns(settings), "labels": settings.labels, "scale": settings.scale}
        splits = [aside / f"{split}.parquet" for split in (TRAIN, *validation_splits(aside))]
        report, own = VALIDATION / f"task-{name}.html", EXPECTATIONS / "tasks" / f"{name}.yaml"
        validate(splits, EXPECTATIONS / "task.yaml", context, report, f"Task {name}", own=own)
    further = sum(counts.values()) - counts[TRAIN] - counts["duplicates"]
    print(
        f"{name}: {counts[TRAIN]:,} rows to learn from, {further:,} to validate on; "
        f"{counts['duplicates']:,} left out of the former, whose text is among the latter"
    )


if __name__ == "__main__":
    run(task)
