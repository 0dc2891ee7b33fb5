"""Telling a quoted field with line breaks from rows that a lone quote has swallowed.

In such rows every line of the field is a complete row by itself: it has the columns of the header, and in the columns
that are not text it has values like those of the other rows. A real text with line breaks is hardly ever like that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from textbook.errors import UserError
from textbook.tables.blocks import place_of

FEW = 100  # a column with at most so many different values, each of them repeated, is one of categories
MOST_SUSPECTS = 1000


@dataclass
class _Column:
    """What the ordinary rows have in a column."""

    values: dict[str, int] = field(default_factory=dict)
    """How often each value occurs; no longer filled once there are too many."""
    rows: int = 0
    numbers: int = 0

    def add(self, value: str) -> None:
        if self.numbers == self.rows:
            self.numbers += _is_number(value)
        self.rows += 1
        if len(self.values) <= FEW:
            self.values[value] = self.values.get(value, 0) + 1

    def decides(self) -> bool:
        """Whether the column has categories or numbers, so that its values tell a row from a line of text."""
        return self.rows > 0 and (self.numbers == self.rows or self._has_categories())

    def fits(self, value: str) -> bool:
        """Whether a value is like those of the ordinary rows."""
        return value in self.values if self._has_categories() else _is_number(value)

    def _has_categories(self) -> bool:
        return len(self.values) <= FEW and 2 * len(self.values) <= self.rows


@dataclass(frozen=True)
class _Suspect:
    """A row with line breaks, each line of which has as many columns as the header."""

    row: int
    first: int
    lines: list[list[str]]


class Suspects:
    """Collects the suspicious rows of a file while it is read, and decides at its end.

    Args:
        columns: the columns that are read.
    """

    def __init__(self, path: str, header: Sequence[str], columns: Sequence[str], delimiter: str) -> None:
        self._path, self._delimiter, self._width = path, delimiter, len(header)
        self._columns = [_Column() for _ in header]
        self._suspects: list[_Suspect] = []

    def look_at(self, row: int, line: int, values: list[str]) -> None:
        """Take note of a row."""
        if any("\n" in value for value in values):
            # Each line as it would be without quotes; their number of columns does not depend on the quotes.
            lines = [text.rstrip("\r").split(self._delimiter) for text in self._delimiter.join(values).split("\n")]
            complete = self._width > 1 and all(len(fields) == self._width for fields in lines)
            if complete and len(self._suspects) < MOST_SUSPECTS:
                self._suspects.append(_Suspect(row, line, lines))
            return
        for column, value in zip(self._columns, values, strict=True):
            column.add(value)

    def close(self) -> None:
        """Decide on the suspicious rows.

        Raises:
            UserError: the lines of a row are most likely rows by themselves.
        """
        places = [place for place, column in enumerate(self._columns) if column.decides()]
        for suspect in self._suspects:
            if places and all(self._columns[place].fits(line[place]) for line in suspect.lines for place in places):
                last = suspect.first + len(suspect.lines) - 1
                raise UserError(
                    f"{self._path}: {place_of(suspect.row, suspect.first)}: a quoted field runs on to line {last}, but"
                    " each of these lines looks like a row by itself; if quotes are part of the text, double them, or"
                    " set `quote: none`"
                )


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
