"""Labels as a user's files have them, as the numbers that models learn."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa

from textbook.errors import UserError
from textbook.params import Task


def read_labels(name: str, task: Task, values: Sequence[Any], path: Path) -> pa.Array:
    """The numbers of classes (int64), or labels on a scale (float64).

    Args:
        name: that of the task, for the error.
        values: labels as they are in the file `path`.

    Raises:
        UserError: a label is none of the task's; names its row, counted from 0.
    """
    if task.scale is not None:
        return pa.array(_on_scale(name, task.scale, values, path), pa.float64())
    return pa.array(_numbers(name, task.outputs, values, path), pa.int64())


def _on_scale(name: str, scale: Sequence[float], values: Sequence[Any], path: Path) -> list[float]:
    low, high = scale
    for row, value in enumerate(values):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
        if not is_number or not low <= value <= high:
            raise UserError(f"tasks.{name}: {path}, row {row}: label {value!r} is no number from {low:g} to {high:g}")
    return [float(value) for value in values]


def _numbers(name: str, labels: Sequence[str], values: Sequence[Any], path: Path) -> list[int]:
    numbers: dict[Any, int] = {label: number for number, label in enumerate(labels)}
    allowed = ", ".join(labels)
    named = [_number_of(label) for label in labels]
    if None not in named:  # read from CSV, a name such as "5" is the number 5
        numbers |= {value: number for number, value in enumerate(named)}
    else:
        numbers |= {number: number for number in range(len(labels))}
        allowed += f" or 0 to {len(labels) - 1}"
    truths = {label.lower(): label for label in labels if label.lower() in ("true", "false")}
    if truths:  # which is what Arrow makes of these words in CSV
        values = [truths.get(str(value).lower(), value) if isinstance(value, bool) else value for value in values]
    for row, value in enumerate(values):
        if value not in numbers:
            raise UserError(f"tasks.{name}: {path}, row {row}: label {value!r} is not one of {allowed}")
    return [numbers[value] for value in values]


def _number_of(label: str) -> float | None:
    """The number that a name is, if it is one."""
    try:
        value = float(label)
    except ValueError:
        return None
    return value if isfinite(value) else None
