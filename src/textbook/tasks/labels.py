"""Interpreting the labels in a user's files, once over all splits of a task.

Labels are read as they are written: in CSV as text, in JSON and Parquet as text, numbers or booleans. What they mean is
decided over all splits together, because a single split may lack what would tell names from indices.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

import pyarrow as pa

from textbook.errors import UserError


def on_scale(task: str, scale: Sequence[float], values: Sequence[Any], places: Sequence[object]) -> pa.Array:
    """Convert the labels of a split to numbers (float64).

    Args:
        task: name of the task, for messages.
        values: the labels as they are written.
        places: their places in the user's files, whose text is `FILE, row 3 (line 5)`.

    Raises:
        UserError: a label is not a number on the scale.
    """
    low, high = scale
    numbers = [as_number(value) for value in values]
    for value, number, place in zip(values, numbers, places, strict=True):
        if number is None or not low <= number <= high:
            raise UserError(f"tasks.{task}: {place}: label {_shown(value)} is not a number from {low:g} to {high:g}")
    return pa.array(numbers, pa.float64())


def class_indices(
    task: str, classes: Sequence[str], splits: Mapping[str, tuple[Sequence[Any], Sequence[object]]]
) -> dict[str, pa.Array]:
    """Convert the labels of all splits to class indices (int64).

    A label is a class name as it is written, or a number equal to a class name that is a number, or, if no class name
    is a number, a class index. Of true and false, which are no class names, false is the first of two classes.

    Args:
        task: name of the task, for messages.
        splits: the labels of each split as they are written, and their places in the user's files.

    Raises:
        UserError: a label is none of these.
    """
    meaning = _meaning(classes)
    allowed = ", ".join(classes)
    if not any(as_number(name) is not None for name in classes):
        allowed += f" or 0 to {len(classes) - 1}"
    result = {}
    for split, (values, places) in splits.items():
        cache: dict[Any, int | None] = {}
        indices: list[int] = []
        for value, place in zip(values, places, strict=True):
            key = (type(value), value) if isinstance(value, (bool, int, float, str)) else (type(value), str(value))
            if key not in cache:
                cache[key] = _index(value, classes, meaning)
            index = cache[key]
            if index is None:
                raise UserError(f"tasks.{task}: {place}: label {_shown(value)} is not one of {allowed}")
            indices.append(index)
        result[split] = pa.array(indices, pa.int64())
    return result


def named(values: Iterable[Any], names: Sequence[str]) -> list[Any]:
    """Replace the integers of a `ClassLabel` column by its class names; other values, such as -1, stay."""
    return [names[value] if type(value) is int and 0 <= value < len(names) else value for value in values]


def as_number(value: Any) -> float | None:
    """A value as a finite number; None if it is none. True and false are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        return None
    if isinstance(value, str) and "_" in value:  # Python reads 1_000 as a number
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _meaning(classes: Sequence[str]) -> dict[Any, int]:
    """The class index of each number and boolean that may stand for a class."""
    numbers = [as_number(name) for name in classes]
    meaning: dict[Any, int] = {}
    if any(number is not None for number in numbers):
        # A number that two names have, such as 1.1 for 1.1 and 1.10, stands for neither.
        meaning = {n: i for i, n in enumerate(numbers) if n is not None and numbers.count(n) == 1}
    else:
        meaning = {float(index): index for index in range(len(classes))}
    booleans = {name.lower(): index for index, name in enumerate(classes) if name.lower() in ("true", "false")}
    if not booleans and len(classes) == 2 and set(meaning) == {0.0, 1.0}:
        booleans = {"false": meaning[0.0], "true": meaning[1.0]}
    return meaning | booleans


def _index(value: Any, classes: Sequence[str], meaning: Mapping[Any, int]) -> int | None:
    """The class index of a label; None if it has none."""
    if isinstance(value, bool) or (isinstance(value, str) and value not in classes):
        word = str(value).lower()
        if word in meaning:
            return meaning[word]
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value in classes:
        return classes.index(value)
    number = as_number(value)
    return None if number is None else meaning.get(number)


def _shown(value: Any) -> str:
    """A label in a message."""
    if value is None or value == "":
        return "(missing)"
    return repr(value) if isinstance(value, str) else str(value)
