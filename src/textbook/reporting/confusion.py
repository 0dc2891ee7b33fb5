"""How often a classifier gives which answer to the texts of each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

READABLE = 12  # classes of a matrix; of a larger one, the report has the most frequent confusions


@dataclass(frozen=True)
class Confusion:
    """The answers of a classifier, by true class."""

    names: Sequence[str]
    """The names of the classes."""
    counts: NDArray[np.int64]
    """The number of texts [true classes, answers]."""

    @property
    def readable(self) -> bool:
        """Whether the matrix is small enough to be read."""
        return len(self.names) <= READABLE

    @property
    def lines(self) -> list[tuple[str, list[tuple[int, float]]]]:
        """For each class its name, and for each answer the count and the share of the class in percent."""
        totals = np.maximum(1, self.counts.sum(1))
        return [
            (name, [(int(count), 100 * int(count) / int(total)) for count in row])
            for name, row, total in zip(self.names, self.counts, totals, strict=True)
        ]

    @property
    def most_frequent(self) -> list[tuple[str, str, int, float]]:
        """The most frequent wrong answers: class, answer, count and share of the class in percent."""
        wrong = [
            (name, answer, *cell)
            for place, (name, cells) in enumerate(self.lines)
            for other, (answer, cell) in enumerate(zip(self.names, cells, strict=True))
            if other != place and cell[0]
        ]
        return sorted(wrong, key=lambda line: (-line[2], -line[3]))[:READABLE]


def confusion(labels: NDArray[Any], logits: NDArray[np.float32], names: Sequence[str]) -> Confusion:
    """Count the answers of a classifier.

    Args:
        labels: class indices [rows].
        logits: its outputs [rows, classes].
        names: the names of the classes.
    """
    return Confusion(names, confusion_matrix(labels, logits.argmax(1), labels=np.arange(len(names))))
