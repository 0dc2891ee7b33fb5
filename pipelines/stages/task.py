"""Stage `task@task`: convert a labelled task to the common format, and check it."""

from pipelines.cli import run
from pipelines.paths import ASSETS, EXPECTATIONS, TASKS, VALIDATION_REPORTS
from textbook.assets.manifest import locate
from textbook.files import atomic_write
from textbook.params import Params
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import TEST, TRAIN, evaluation_splits, text_columns
from textbook.validation import validate


def main(params: Params, name: str) -> None:
    """Write the splits of the task. They appear only if every expectation holds."""
    settings = params.task(name)
    with atomic_write(TASKS / name) as temporary:
        temporary.mkdir()
        prepared = prepare_task(name, settings, locate(ASSETS / settings.asset), temporary)
        task = prepared.task
        context = {"text": text_columns(task), "labels": task.labels, "scale": task.scale}
        splits = [temporary / f"{split}.parquet" for split in (TRAIN, *evaluation_splits(temporary))]
        report, own = VALIDATION_REPORTS / f"task-{name}.html", EXPECTATIONS / "tasks" / f"{name}.yaml"
        places = {f"{split}.parquet": rows for split, rows in prepared.places.items()}
        validate(splits, EXPECTATIONS / "task.yaml", context, report, f"Task {name}", own=own, places=places)
    train, test = prepared.rows[TRAIN], prepared.rows.get(TEST, 0)
    validation = sum(prepared.rows.values()) - train - test
    print(
        f"{name}: {train:,} training rows, {validation:,} validation rows{f', {test:,} test rows' if test else ''};"
        f" {prepared.duplicates:,} training rows left out because their text is also in the validation"
        f"{' or test' if test else ''} data"
    )
    for split, labels in prepared.lacking.items():
        print(f"{name}: {split} has no rows of class {', '.join(labels)}, so no score tells how well it is recognised")


if __name__ == "__main__":
    run(main)
