"""Preparing a proposed task on trial, before anything is written."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from textbook.errors import UserError
from textbook.params import Task, Teacher
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import TRAIN, VALIDATION, read_split

FEW_ROWS = 200  # for validation: the standard error of an accuracy of 80 % is 2.8 points
FEW_STEPS = 100  # of a teacher's fine-tuning


@dataclass(frozen=True)
class Trial:
    """What the preparation of a task gives."""

    rows: dict[str, int]
    """The number of rows in each split, `train` first."""
    notes: list[str]
    """What the user should look at."""


def try_task(name: str, task: Task, source: Path, teacher: Teacher) -> Trial:
    """Prepare a task in a temporary folder.

    Args:
        source: the file or folder of the task's asset.
        teacher: the teacher that will be fine-tuned on it.

    Raises:
        UserError: the task cannot be prepared, or a split has a single label, which the stage `task` refuses.
    """
    with TemporaryDirectory() as folder:
        prepared = prepare_task(name, task, source, Path(folder))
        labels = {split: set(read_split(Path(folder), split)["label"].to_pylist()) for split in prepared.rows}
    for split, values in labels.items():
        if len(values) < 2:
            count = prepared.rows[split]
            raise UserError(f"{source}: {split} would have a single label (rows: {count:,}); add rows with another one")
    notes = [
        f"{split} has no rows of class {', '.join(lacking)}, so no score tells how well it is recognised"
        for split, lacking in prepared.lacking.items()
    ]
    if prepared.duplicates:
        rows = "1 row is" if prepared.duplicates == 1 else f"{prepared.duplicates:,} rows are"
        notes.append(f"{rows} left out of {TRAIN}: the same text is in {VALIDATION}")
    held_out = prepared.rows[VALIDATION]
    if held_out < FEW_ROWS:
        error = 100 * (0.8 * 0.2 / held_out) ** 0.5
        effect = "scores are uncertain" if task.scale else f"an accuracy of 80 % is uncertain by ± {error:.0f} points"
        notes.append(f"only {held_out} rows for validation: {effect}")
    longest = max(teacher.trials(name), key=lambda trial: trial.epochs / trial.batch)
    steps = ceil(prepared.rows[TRAIN] / longest.batch)  # of an epoch
    if steps * longest.epochs < FEW_STEPS:
        notes.append(
            f"the teacher would learn the task in only {steps * longest.epochs} steps; {ceil(FEW_STEPS / steps)} epochs"
            f" take {FEW_STEPS}: set `teacher.epochs`, or for this task alone `teacher.tasks`"
        )
    return Trial(prepared.rows, notes)
