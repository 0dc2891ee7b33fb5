"""The rows of a sweep's table, `reports/sweep.csv`: a cell of the grid each, done or not."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import mean

Row = Mapping[str, str]
Place = tuple[str, str, str]  # init, teacher, textbook
DECISIVE = 2  # times its standard error that a difference must be, to say anything
LOSS = "validation_relation_loss"  # on texts of the task that no textbook has a part of
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
    """Those that have a score."""
    return [row for row in rows if row["mean"]]


def whole(rows: Sequence[Row]) -> list[Row]:
    """Those that used all of their textbook."""
    return [row for row in rows if float(row["top_percent"]) == 100]


def at(rows: Sequence[Row], place: Place) -> list[Row]:
    """Those at a place in the grid: one for each seed of the distillation."""
    return [row for row in rows if (row["init"], row["teacher"], row["textbook"]) == place]


def mean_of(rows: Sequence[Row], name: str) -> float:
    """The mean of a column."""
    return mean(float(row[name]) for row in rows)


def difference(one: Sequence[Row], other: Sequence[Row]) -> tuple[float, float]:
    """By how much the score of some cells exceeds that of others, and the standard error of that.

    The error is that of both scores: of the validation rows, and of the seeds of adaptation. As both are measured on
    the same rows, the true one is rather smaller.
    """
    return mean_of(one, "mean") - mean_of(other, "mean"), sqrt(_variance(one) + _variance(other))


def number(row: Row, name: str) -> float | None:
    """A column of a row, None where it has none."""
    return float(row[name]) if row.get(name) else None


def distinct(rows: Sequence[Row], name: str) -> list[str]:
    """The values of a column, each once, in order."""
    return list(dict.fromkeys(row[name] for row in rows))


def _variance(cells: Sequence[Row]) -> float:
    """Of a score: what comes of the rows, which all seeds share, and what of the seeds."""
    return mean_of(cells, "standard_error") ** 2 + mean_of(cells, "std") ** 2 / sum(int(row["seeds"]) for row in cells)
