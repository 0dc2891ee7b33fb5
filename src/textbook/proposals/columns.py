"""What is in a column of a table: texts, classes or numbers."""

import re
from typing import Any

from textbook.tasks.labels import as_number

WORDS = 3  # on average, in a column of texts
OFTEN = 10  # times that each value occurs, on average, in a column of classes with names of several words
LONGEST_CLASS = 60  # characters of the name of a class
MOST_CLASSES = 200
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff]{4}")


class ColumnProfile:
    """Counts what is in a column, value by value."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.filled = 0
        """Values that are neither missing nor blank."""
        self.numbers = 0
        self.whole = 0
        """Numbers without a fraction."""
        self.values: dict[Any, int] = {}
        """How often each value occurs; no more than `MOST_CLASSES` + 1 different ones."""
        self.quoted = 0
        """Values between two quotation marks, which are part of them."""
        self._nested = 0
        self._words = 0
        self._longest = 0

    def add(self, value: Any) -> None:
        """Count a value."""
        if is_missing(value):
            return
        self.filled += 1
        if isinstance(value, (dict, list)):
            self._nested += 1
            return
        number = as_number(value)
        if number is not None:
            self.numbers += 1
            self.whole += number == int(number)
        if value in self.values or len(self.values) <= MOST_CLASSES:
            self.values[value] = self.values.get(value, 0) + 1
        if isinstance(value, str):
            self._words += len(value.split()) if not _UNSPACED.search(value) else WORDS
            self._longest = max(self._longest, len(value))
            self.quoted += len(value) > 1 and value[0] == value[-1] == '"'

    @property
    def has_texts(self) -> bool:
        """Whether the values are texts: they have several words, or no spaces in their script, and seldom repeat."""
        return not self._nested and self._words >= WORDS * self.filled > 0 and not self._repeats(OFTEN)

    @property
    def has_classes(self) -> bool:
        """Whether the values can be names or numbers of classes: they are few and short, and each occurs repeatedly."""
        short = self._longest <= LONGEST_CLASS
        return not self._nested and len(self.values) >= 2 and self._repeats(2) and short and not self.has_fractions

    def _repeats(self, times: int) -> bool:
        """Whether there are few different values, each of which occurs so many times on average."""
        return len(self.values) <= MOST_CLASSES and times * len(self.values) <= self.filled

    @property
    def has_fractions(self) -> bool:
        """Whether the values are numbers, not all of them whole."""
        return 0 < self.filled == self.numbers > self.whole

    @property
    def is_mostly_numbers(self) -> bool:
        """Whether more than half of the values are numbers."""
        return 2 * self.numbers > self.filled


def is_missing(value: Any) -> bool:
    """Whether a table has no value here: null, NaN, or text of blanks."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())
