"""A block of table rows, and where its rows are in the user's file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

BLOCK_ROWS = 1024  # small, because a row may contain a whole book
MOST_COLUMNS, MOST_CHARACTERS = 20, 60  # that a message shows


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a table as Python values, with the named columns only."""

    columns: dict[str, list[Any]]
    """The values of each column. CSV and text files have strings only."""
    first: int = 0
    """The row number of the first row, counted from 0 and without a header, in its part of the file."""
    lines: Sequence[int] = field(default=())
    """The line in the file on which each row starts, counted from 1; empty for Parquet, which has no lines."""
    rows: Sequence[int] | None = None
    """The row numbers of the rows; None: they are consecutive from `first`."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def number(self, index: int) -> int:
        """The row number, in the file, of the row at `index` in this block."""
        return self.first + index if self.rows is None else self.rows[index]

    def place(self, index: int) -> str:
        """The place of the row at `index` in this block, for messages: `row 3 (line 5)`."""
        return place_of(self.number(index), self.lines[index] if self.lines else None)

    def select(self, columns: Sequence[str]) -> "Block":
        """The same rows with some of the columns, in the given order."""
        return Block({name: self.columns[name] for name in columns}, self.first, self.lines, self.rows)

    def take(self, indices: Sequence[int]) -> "Block":
        """The rows at `indices`, with their places in the file."""
        return Block(
            {name: [values[index] for index in indices] for name, values in self.columns.items()},
            self.first,
            [self.lines[index] for index in indices] if self.lines else (),
            [self.number(index) for index in indices],
        )


def place_of(row: int, line: int | None) -> str:
    """The place of a row, counted from 0, for messages. Text formats have a line too, counted from 1."""
    return f"row {row}" if line is None else f"row {row} (line {line})"


def list_columns(names: Sequence[str]) -> str:
    """The names of columns, for messages: on one line and of moderate length, whatever the file has as its header."""
    shown = [" ".join(name.split())[:MOST_CHARACTERS] for name in names[:MOST_COLUMNS]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
