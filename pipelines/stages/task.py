"""Stage `task@task`: convert a labelled task to the common format, and check it."""

from pipelines.cli import run
from pipelines.paths import ASSETS, EXPECTATIONS, TASKS, VALIDATION_REPORTS
from textbook.assets.manifest import locate
from textbook.files import atomic_write
from textbook.params import Params
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import TRAIN, text_columns, validation_splits
from textbook.validation import validate


def main(params: Params, name: str) -> None:
    """Write the splits of the task. They appear only if every expectation holds."""
    settings = params.task(name)
    with atomic_write(TASKS / name) as temporary:
        temporary.mkdir()
        prepared = prepare_task(name, settings, locate(ASSETS / settings.asset), temporary)
        task = prepared.task
        context = {"text": text_columns(task), "labels": task.labels, "scale": task.scale}
        splits = [temporary / f"{split}.parquet" for split in (TRAIN, *validation_splits(temporary))]
        report, own = VALIDATION_REPORTS / f"task-{name}.html", EXPECTATIONS / "tasks" / f"{name}.yaml"
        places = {f"{split}.parquet": rows for split, rows in prepared.places.items()}
        validate(splits, EXPECTATIONS / "task.yaml", context, report, f"Task {name}", own=own, places=places)
    validation = sum(prepared.rows.values()) - prepared.rows[TRAIN]
    print(
        f"{name}: {prepared.rows[TRAIN]:,} training rows, {validation:,} validation rows; {prepared.duplicates:,}"
        " training rows left out because their text is also in the validation data"
    )
    for split, labels in prepared.lacking.items():
        print(f"{name}: {split} has no rows of class {', '.join(labels)}, so no score tells how well it is recognised")


if __name__ == "__main__":
    run(main)
