"""The rows of `reports/sweep.csv`, the table of a sweep: one row per cell of the grid, finished or not."""

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from pathlib import Path
from statistics import mean

from textbook.evaluation.paired import Difference
from textbook.files import read_rows

Row = Mapping[str, str]
Place = tuple[str, str, str]  # init, teacher, textbook
Comparisons = Mapping[tuple[str, str, str], Difference]
"""Paired differences in points, by task and the names of two places, first minus second."""
LOSS = "validation_relation_loss"  # on the task's validation texts, which no textbook contains
TEXTBOOK_LOSS = "textbook_relation_loss"  # on the textbook, at the end of the distillation on it
TEXTS = "texts"  # sentences or pairs in the part of the textbook that was used
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
    "lead",
    "lead_low",
    "lead_high",
    "lead_p",
    "test_score",
    "test_standard_error",
    "teacher_test_score",
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
    return [row for row in rows if row.get("mean")]


def whole(rows: Sequence[Row]) -> list[Row]:
    """The rows of cells that used all of their textbook, for students of one shape: the first of several."""
    return [row for row in rows if float(row["top_percent"]) == 100 and _shape(row) == _shape(rows[0])]


def at(rows: Sequence[Row], place: Place) -> list[Row]:
    """The rows at a place in the grid: one for each seed of distillation."""
    return [row for row in rows if (row["init"], row["teacher"], row["textbook"]) == place]


def mean_of(rows: Sequence[Row], name: str) -> float:
    """The mean of a column."""
    return mean(float(row[name]) for row in rows)


def difference(first: Sequence[Row], second: Sequence[Row], comparisons: Comparisons) -> tuple[Difference, bool]:
    """The mean score of the cells at one place minus that of those at another, on one task, and whether it is paired.

    It is paired if the places were compared row by row. Otherwise its standard error combines the errors of both
    scores, from validation rows and from seeds of adaptation, as if they were independent. They are measured on the
    same rows, so the true error is usually smaller.
    """
    task, one, other = first[0]["task"], _name(first[0]), _name(second[0])
    if found := comparisons.get((task, one, other)):
        return found, True
    if found := comparisons.get((task, other, one)):
        return Difference(-found.value, found.error, found.freedom), True
    lead, error = mean_of(first, "mean") - mean_of(second, "mean"), sqrt(variance(first) + variance(second))
    return Difference(lead, error, inf), False


def place_name(init: str, teacher: str, textbook: str, top_percent: float = 100.0, shape: str = "") -> str:
    """The name of a place in the grid, such as `random/task/contextualized`.

    `…/20%` is for a textbook's best texts, and `…/tiny` for a shape of the student.
    """
    part = [] if top_percent == 100 else [f"{top_percent:g}%"]
    return "/".join((init, teacher, textbook, *part, *([shape] if shape else [])))


def setting_name(row: Row) -> str:
    """The names of a row without the textbook, such as `sst2 · random · task`, or `sst2 · random · task · tiny`."""
    return " · ".join(filter(None, (row["task"], row["init"], row["teacher"], _shape(row))))


def part_name(row: Row) -> str:
    """The name of the part of a textbook that a row is about, such as `contextualized, top 20 %`."""
    percent = float(row["top_percent"])
    return row["textbook"] if percent == 100 else f"{row['textbook']}, top {percent:g} %"


def read_comparisons(path: Path) -> dict[tuple[str, str, str], Difference]:
    """The rows of `reports/comparisons.csv`, by task and places; none if there is no such file."""
    return {
        (row["task"], row["first"], row["second"]): Difference(
            float(row["difference"]), float(row["error"]), float(row["freedom"])
        )
        for row in (read_rows(path) if path.is_file() else [])
    }


def number(row: Row, name: str) -> float | None:
    """The value of a column as a number; None if the row lacks the column or the field is empty."""
    return float(row[name]) if row.get(name) else None


def distinct(rows: Sequence[Row], name: str) -> list[str]:
    """The distinct values of a column, in order of first appearance."""
    return list(dict.fromkeys(row[name] for row in rows))


def _name(row: Row) -> str:
    percent = float(row.get("top_percent") or 100)
    return place_name(row["init"], row["teacher"], row["textbook"], percent, _shape(row))


def _shape(row: Row) -> str:
    """The name of the student's shape; empty where the sweep has only one."""
    return row.get("student") or ""


def variance(cells: Sequence[Row]) -> float:
    """The variance of a mean score: the part from the validation rows, which seeds share, plus that from the seeds."""
    return mean_of(cells, "standard_error") ** 2 + mean_of(cells, "std") ** 2 / sum(int(row["seeds"]) for row in cells)


def score_interval(cells: Sequence[Row]) -> tuple[float, float]:
    """The mean score, and half the width of its 95 % confidence interval, which counts the rows and the seeds."""
    score = mean_of(cells, "mean")
    _, high = Difference(score, sqrt(variance(cells)), inf).interval
    return score, high - score
