"""The rows of a sweep's table, `reports/sweep.csv`: a cell of the grid each, done or not."""

from collections.abc import Mapping, Sequence
from statistics import mean

Row = Mapping[str, str]
Place = tuple[str, str, str]  # init, teacher, textbook
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


def number(row: Row, name: str) -> float | None:
    """A column of a row, None where it has none."""
    return float(row[name]) if row.get(name) else None


def distinct(rows: Sequence[Row], name: str) -> list[str]:
    """The values of a column, each once, in order."""
    return list(dict.fromkeys(row[name] for row in rows))
