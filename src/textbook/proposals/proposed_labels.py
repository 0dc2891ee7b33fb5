"""What the labels of a new task are: classes or numbers on a scale."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from textbook.errors import UserError
from textbook.proposals.columns import MOST_CLASSES, is_missing
from textbook.proposals.places import name_rows
from textbook.tables.blocks import list_columns
from textbook.tasks.labels import as_number
from textbook.tasks.rows import LabelledRows

MOST_NUMBERS = 20  # different whole numbers that are taken for classes
LEAST_GRADES = 5  # of numbers that may be a scale
FEW = 10  # rows of a class with which little can be learned
WIDE = 10  # a scale on which the customary learning rates are too small
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0+)?")


@dataclass(frozen=True)
class ProposedLabels:
    """The classes or the scale of a new task."""

    classes: dict[str, int]
    """The number of rows of each class, in the order of the class indices; empty for a scale."""
    scale: list[int] | None
    """The lowest and the highest value."""
    where: list[Any] | None
    """The values of the column in rows with a label, if others have none and can be left out by them."""
    notes: list[str]
    """What the user should look at."""

    @property
    def metrics(self) -> list[str]:
        """The metrics that suit the labels; the first selects the best seed."""
        if self.scale:
            return ["pearson", "spearman"]
        rare = min(self.classes.values()) * 2 * len(self.classes) < sum(self.classes.values())
        return ["macro_f1", "accuracy"] if rare else ["accuracy"]


def understand_labels(column: str, rows: LabelledRows, names: Sequence[str]) -> ProposedLabels:
    """Decide whether labels are classes or numbers on a scale.

    Numbers are on a scale if some have a fraction, or if there are many different ones.

    Args:
        column: the column of the label, for messages.
        rows: at least one.
        names: the class names that the file itself gives; empty: none.

    Raises:
        UserError: there are no labels, only one value, or too many; or a label is missing, and the row cannot be left
            out by a condition on the label.
    """
    filled = [value for value in rows.labels if not is_missing(value)]
    where = f"{rows.places[0].path}: label {column!r}"
    if any(isinstance(value, (dict, list)) for value in filled):
        raise UserError(f"{where} has lists or objects; it must have text, numbers, or true and false")
    counts = Counter((type(value), value) for value in filled)
    written = sorted((value for _, value in counts), key=_order)
    on_scale = not names and _are_on_a_scale(written)
    selectable = not (names or on_scale) and all(isinstance(value, (bool, int, float, str)) for value in written)
    lacks = [place for place, value in zip(rows.places, rows.labels, strict=True) if is_missing(value)]
    if lacks and filled and not selectable:
        raise UserError(f"{name_rows(lacks)}: no label in {column}; fill it in, or remove the row")
    if on_scale:
        return _scale([float(value) for value in written])
    classes = _name_classes(counts, names)
    if len(classes) < 2:
        raise UserError(f"{where} has {f'the single value {filled[0]!r}' if filled else 'no values'}: nothing to learn")
    if len(classes) > MOST_CLASSES:
        raise UserError(f"{where} has {len(classes):,} different values, but a task has at most {MOST_CLASSES} classes")
    if wrong := next((name for name in classes if len(name.splitlines()) != 1), None):
        raise UserError(f"{where} has the value {wrong!r:.80}; the name of a class is one line")
    return ProposedLabels(classes, None, written if lacks else None, _notes(classes, len(lacks)))


def _are_on_a_scale(values: Sequence[Any]) -> bool:
    """Whether different labels are all numbers, and some have a fraction or there are many."""
    numbers = [number for number in map(as_number, values) if number is not None]
    many = len(numbers) > MOST_NUMBERS or any(number != int(number) for number in numbers)
    return len(numbers) == len(values) and many


def _scale(numbers: Sequence[float]) -> ProposedLabels:
    low, high = floor(min(numbers)), ceil(max(numbers))
    notes = [f"the labels are taken for numbers on a scale from {low} to {high}"]
    if high - low > WIDE:
        notes.append(f"a scale as wide as {low} to {high} trains badly: divide the labels, to about 0 to 5")
    return ProposedLabels({}, [low, high], None, notes)


def _name_classes(counts: Mapping[tuple[type, Any], int], names: Sequence[str]) -> dict[str, int]:
    """The number of rows of each class, in the order of the class indices.

    Classes are named as they are written, but 1 for 1.0 if all labels are whole numbers.

    Args:
        counts: the number of rows of each label, by its type and its value.
        names: the class names that the file itself gives, in its order.
    """
    whole = all(_PLAIN_NUMBER.fullmatch(str(value)) for _, value in counts)
    classes: Counter[str] = Counter()
    for (kind, value), count in counts.items():
        name = str(int(float(value))) if whole else str(value)
        classes[name.lower() if kind is bool else name] += count
    order = names if names and set(classes) <= set(names) else sorted(classes, key=_order)
    return {name: classes[name] for name in order}


def _order(value: Any) -> tuple[bool, float, str, str]:
    """Numbers first, in their order, and then words in theirs."""
    number = as_number(value)
    return number is None, number or 0.0, str(value).lower(), str(value)


def _notes(classes: dict[str, int], lacks: int) -> list[str]:
    notes = []
    total, (largest, most) = sum(classes.values()), max(classes.items(), key=lambda item: item[1])
    if lacks:
        rows, them = ("1 row has", "it") if lacks == 1 else (f"{lacks:,} rows have", "them")
        notes.append(f"{rows} no label; `where` leaves {them} out")
    if rare := [f"{name} {count}" for name, count in classes.items() if count < FEW]:
        notes.append(f"classes with fewer than {FEW} rows, too few to learn or to measure: {list_columns(rare)}")
    if most > 0.8 * total:
        notes.append(
            f"{100 * most / total:.0f} % of the rows are {largest!r}: `adapt.class_weights: balanced` gives all classes"
            " the same weight"
        )
    folded: dict[str, list[str]] = {}
    for name in classes:
        folded.setdefault(" ".join(name.lower().split()), []).append(name)
    notes += [f"{', '.join(map(repr, same))} may be one class" for same in folded.values() if len(same) > 1]
    return notes + _notes_on_numbers(list(classes))


def _notes_on_numbers(names: list[str]) -> list[str]:
    """What else classes may be that are all numbers."""
    notes = []
    if names == [str(number) for number in range(len(names))]:
        notes.append(
            f"the model will answer with {list_columns(names)}; names in this order can replace them in `labels`"
        )
    if len(names) >= LEAST_GRADES and all(as_number(name) is not None for name in names):
        notes.append(
            f"the numbers {names[0]} to {names[-1]} are taken for classes; if they are grades, replace `labels` by"
            f" `scale: [{names[0]}, {names[-1]}]` and `metrics` by [pearson, spearman]"
        )
    return notes
