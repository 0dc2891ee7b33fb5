"""Choosing the columns of a new task: the text or the two texts of a pair, and the label."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from textbook.errors import UserError
from textbook.proposals.columns import MOST_CLASSES, ColumnProfile
from textbook.proposals.layout import Layout
from textbook.tables.blocks import list_columns
from textbook.tasks.labels import as_number

LABELS = (
    *("label", "labels", "gold_label", "class", "category", "target", "sentiment", "intent", "topic", "verdict", "y"),
    *("score", "rating", "stars"),
)
"""What the column of the label is usually called."""
TEXTS = (
    *("text", "sentence", "message", "body", "content", "review", "comment", "utterance", "tweet", "document"),
    *("question", "description"),
)
"""What the column of the text is usually called."""
PAIRS = [
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("question", "answer"),
    ("query", "passage"),
    ("query", "document"),
    ("claim", "evidence"),
]
"""What the columns of a pair are usually called, besides those that differ in a final 1 and 2 or a and b."""
LONGEST_NAME = 100  # characters
IDS = re.compile(r"(?:.*[^a-z])?(?:id|idx|index|uuid|guid|key|date|time|timestamp|unnamed: \d+)", re.IGNORECASE)


def choose_label(path: Path, layout: Layout, texts: Sequence[str]) -> str:
    """The only column that can be the label.

    Args:
        path: the file, for messages.
        texts: columns that the user has chosen as texts.

    Raises:
        UserError: no column can be the label, or several can.
    """
    others = [column for column in layout.columns.values() if column.name not in texts]
    usual = [column for column in others if column.name.lower() in LABELS and _can_be_label(column)]
    possible = usual or [column for column in others if _can_be_label(column) and not IDS.fullmatch(column.name)]
    if len(possible) == 1:
        return possible[0].name
    if possible:
        shown = list_columns([f"{column.name} ({_kind(column)})" for column in possible])
        raise UserError(f"{path}: the label can be {shown}; say which: LABEL={possible[0].name}")
    raise UserError(
        f"{path}: no column can be the label: it has 2 to {MOST_CLASSES} values that occur again and again, or numbers"
        f" with fractions; {_columns(layout)}; LABEL=… says which it is"
    )


def choose_texts(path: Path, layout: Layout, label: str) -> list[str]:
    """The only column that can be the text, or the only two that can be the texts of a pair.

    Raises:
        UserError: no column has texts, or several have.
    """
    others = [column for column in layout.columns.values() if column.name != label]
    possible = [column.name for column in others if column.has_texts]
    pairs = _pairs(possible)
    if len(pairs) == 1:
        return list(pairs[0])
    usual = [name for name in possible if name.lower() in TEXTS]
    if not possible:  # texts of a word or two, under a usual name
        usual = [column.name for column in others if column.name.lower() in TEXTS and not column.is_mostly_numbers]
    found = usual or possible
    if len(found) == 1:
        return found
    if not found:
        raise UserError(f"{path}: no column has texts of several words; {_columns(layout)}; TEXT=… says which it is")
    first, second, *_ = found
    raise UserError(
        f"{path}: the text can be {list_columns(found)}; say which: TEXT={first}, or for a pair TEXT={first}"
        f" TEXT2={second}"
    )


def check_header(path: Path, columns: Mapping[str, ColumnProfile]) -> None:
    """Check that the first line of a delimited file has the names of the columns, and is no row.

    Raises:
        UserError: no column has a usual name, and a name is a number, very long, or one of the values of its column.
    """
    if any(name.lower() in LABELS + TEXTS for name in columns):
        return
    for name, column in columns.items():
        if as_number(name) is not None or len(name) > LONGEST_NAME or name in column.values:
            raise UserError(
                f"{path}: its first line must have the names of the columns, but {name[:60]!r} looks like a value; add"
                " a first line such as text,label"
            )


def _can_be_label(column: ColumnProfile) -> bool:
    return not column.has_texts and (column.has_classes or column.has_fractions)


def _columns(layout: Layout) -> str:
    """The columns of a table, and why some cannot be read, for messages."""
    return "; ".join([f"the columns are {list_columns(list(layout.columns))}", *layout.unreadable[:1]])


def _kind(column: ColumnProfile) -> str:
    return "numbers" if column.has_fractions else f"{len(column.values)} values"


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """The columns that belong together as a pair by their names."""
    by_name = {name.lower(): name for name in names}
    pairs = [(by_name[one], by_name[two]) for one, two in PAIRS if one in by_name and two in by_name]
    for name in names:
        for first, second in (("1", "2"), ("a", "b"), ("A", "B")):
            if name.endswith(first) and len(name) > 1 and (other := name[:-1] + second) in names:
                pairs.append((name, other))
    return pairs
