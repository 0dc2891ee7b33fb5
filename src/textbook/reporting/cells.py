"""The rows of `reports/sweep.csv`, the table of a sweep: one row per cell of the grid, finished or not."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import mean

Row = Mapping[str, str]
Place = tuple[str, str, str]  # init, teacher, textbook
DECISIVE = 2  # a difference is significant beyond this multiple of its standard error
LOSS = "validation_relation_loss"  # on the task's validation texts, which no textbook contains
TABLE2 = (
    "init",
    "teacher",
    "textbook",
    "task",
    "metric",
    "mean",
    "std",
    "standard_error",
    "teacher_score",
    "task_relation_loss",
    LOSS,
    "seeds",
    "steps",
    "batch",
    "device",
    "seconds",
    "state",
    "run_id",
)


def done(rows: Sequence[Row]) -> list[Row]:
    """The rows that have a score."""
    return [row for row in rows if row["mean"]]


def whole(rows: Sequence[Row]) -> list[Row]:
    """The rows of cells that used all of their textbook."""
    return [row for row in rows if float(row["top_percent"]) == 100]


def at(rows: Sequence[Row], place: Place) -> list[Row]:
    """The rows at a place in the grid: one for each seed of distillation."""
    return [row for row in rows if (row["init"], row["teacher"], row["textbook"]) == place]


def mean_of(rows: Sequence[Row], name: str) -> float:
    """The mean of a column."""
    return mean(float(row[name]) for row in rows)


def difference(first: Sequence[Row], second: Sequence[Row]) -> tuple[float, float]:
    """The mean score of the first cells minus that of the second, and its standard error.

    The standard error combines the errors of both scores, from validation rows and from seeds of adaptation. It treats
    the scores as independent. They are measured on the same rows, so the true error is usually smaller.
    """
    return mean_of(first, "mean") - mean_of(second, "mean"), sqrt(_variance(first) + _variance(second))


def number(row: Row, name: str) -> float | None:
    """The value of a column as a number; None if the row lacks the column or the field is empty."""
    return float(row[name]) if row.get(name) else None


def distinct(rows: Sequence[Row], name: str) -> list[str]:
    """The distinct values of a column, in order of first appearance."""
    return list(dict.fromkeys(row[name] for row in rows))


def _variance(cells: Sequence[Row]) -> float:
    """The variance of a mean score: the part from the validation rows, which seeds share, plus that from the seeds."""
    return mean_of(cells, "standard_error") ** 2 + mean_of(cells, "std") ** 2 / sum(int(row["seeds"]) for row in cells)
