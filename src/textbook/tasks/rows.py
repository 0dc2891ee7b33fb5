"""The labelled rows of a user's tables, and where each of them is in these files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textbook.errors import UserError
from textbook.params import Task
from textbook.tables.blocks import place_of
from textbook.tables.files import Part, table_format
from textbook.tables.parquet import class_names
from textbook.tables.read import as_text, read_rows_of
from textbook.tasks.labels import named


@dataclass(frozen=True)
class Place:
    """The place of a row in the user's files."""

    path: Path
    row: int
    line: int | None

    def __str__(self) -> str:
        return f"{self.path}, {place_of(self.row, self.line)}"


@dataclass(frozen=True)
class LabelledRows:
    """Rows of a task, with labels as they are written."""

    texts: list[tuple[str | None, ...]]
    """The text, or both texts of a pair."""
    labels: list[Any]
    places: list[Place]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Sequence[int]) -> "LabelledRows":
        """The rows at the given indices."""
        return LabelledRows(*([column[index] for index in indices] for column in self._columns()))

    def extend(self, other: "LabelledRows") -> None:
        """Append other rows."""
        for column, more in zip(self._columns(), other._columns(), strict=True):
            column.extend(more)

    def _columns(self) -> tuple[list[Any], list[Any], list[Any]]:
        return self.texts, self.labels, self.places


def read_labelled_rows(name: str, task: Task, path: Path) -> tuple[LabelledRows, list[str]]:
    """Read the rows of one table.

    Args:
        name: name of the task, for messages.

    Returns:
        The rows, and the class names that the table itself gives (a `ClassLabel` of Hugging Face `datasets`), if any.
        If these are the task's classes, or the task names none, the labels are class names instead of indices.

    Raises:
        UserError: the table cannot be read, has no matching rows, or a text is not text.
    """
    rows = LabelledRows([], [], [])
    for block in read_rows_of(Part(str(path)), [*task.text, task.label], task):
        texts = [as_text(str(path), block, column) for column in task.text]
        places = [
            Place(path, block.number(index), block.lines[index] if block.lines else None) for index in range(len(block))
        ]
        rows.extend(LabelledRows(list(zip(*texts, strict=True)), block.columns[task.label], places))
    if not rows:
        raise UserError(f"tasks.{name}: {path} has no rows" + (f" where {task.where}" if task.where else ""))
    if task.scale or table_format(path) != (".parquet", None):
        return rows, []
    names = class_names(path, task.label) or []
    if names and (task.labels is None or set(task.labels) == set(names)):
        rows = LabelledRows(rows.texts, named(rows.labels, names), rows.places)
    return rows, names
