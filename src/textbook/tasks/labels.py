"""Converting the labels in a user's files to the numbers that models are trained on."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa

from textbook.errors import UserError
from textbook.params import Task


def read_labels(name: str, task: Task, values: Sequence[Any], path: Path) -> pa.Array:
    """Convert labels to class indices (int64) or, for a task with a scale, to numbers (float64).

    Args:
        name: name of the task, for error messages.
        values: labels as they are in the file `path`.

    Raises:
        UserError: the task does not allow a label; the message names its row, counted from 0.
    """
    if task.scale is not None:
        return pa.array(_on_scale(name, task.scale, values, path), pa.float64())
    return pa.array(_class_indices(name, task.outputs, values, path), pa.int64())


def _on_scale(name: str, scale: Sequence[float], values: Sequence[Any], path: Path) -> list[float]:
    low, high = scale
    for row, value in enumerate(values):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
        if not is_number or not low <= value <= high:
            raise UserError(
                f"tasks.{name}: {path}, row {row}: label {value!r} is not a number from {low:g} to {high:g}"
            )
    return [float(value) for value in values]


def _class_indices(name: str, labels: Sequence[str], values: Sequence[Any], path: Path) -> list[int]:
    indices: dict[Any, int] = {label: index for index, label in enumerate(labels)}
    allowed = ", ".join(labels)
    numbers = [_as_number(label) for label in labels]
    if None not in numbers:  # in CSV, Arrow reads a name such as "5" as the number 5
        indices |= {number: index for index, number in enumerate(numbers)}
    else:
        indices |= {index: index for index in range(len(labels))}
        allowed += f" or 0 to {len(labels) - 1}"
    booleans = {label.lower(): label for label in labels if label.lower() in ("true", "false")}
    if booleans:  # in CSV, Arrow reads these words as booleans
        values = [booleans.get(str(value).lower(), value) if isinstance(value, bool) else value for value in values]
    for row, value in enumerate(values):
        if value not in indices:
            raise UserError(f"tasks.{name}: {path}, row {row}: label {value!r} is not one of {allowed}")
    return [indices[value] for value in values]


def _as_number(label: str) -> float | None:
    """A class name as a number; None if it is not a finite number."""
    try:
        value = float(label)
    except ValueError:
        return None
    return value if isfinite(value) else None
