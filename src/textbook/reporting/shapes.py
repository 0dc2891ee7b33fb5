"""The scores of a sweep by shape of the student: how small the student may be."""

from collections.abc import Sequence
from dataclasses import dataclass

from textbook.reporting.cells import Row, at, distinct, done, score_interval


@dataclass(frozen=True)
class ShapeTable:
    """The scores of one task: one line for each init, teacher and shape, with one entry for each textbook.

    An entry is empty if the sweep has no such score.
    """

    task: str
    metric: str
    teacher: str
    """The score of the fine-tuned teacher; empty if it is unknown."""
    textbooks: Sequence[str]
    lines: Sequence[tuple[str, str, str, Sequence[str]]]


def shape_tables(rows: Sequence[Row]) -> list[ShapeTable]:
    """One table for each task, of the students that used all of their textbook; none if the sweep has only one shape.

    Args:
        rows: the rows of `reports/sweep.csv`.
    """
    if len({row.get("student") for row in rows}) < 2:
        return []
    rows = [row for row in done(rows) if float(row["top_percent"]) == 100]
    return [_table([row for row in rows if row["task"] == task]) for task in distinct(rows, "task")]


def _table(rows: Sequence[Row]) -> ShapeTable:
    books = distinct(rows, "textbook")
    lines = []
    for init, teacher, shape in dict.fromkeys((row["init"], row["teacher"], row["student"]) for row in rows):
        of_shape = [row for row in rows if row["student"] == shape]
        scores = [_score_with_error(at(of_shape, (init, teacher, book))) for book in books]
        lines.append((init, teacher, shape, scores))
    teacher_score = next((f"{float(row['teacher_score']):.1f}" for row in rows if row.get("teacher_score")), "")
    return ShapeTable(rows[0]["task"], rows[0]["metric"], teacher_score, books, lines)


def _score_with_error(cells: Sequence[Row]) -> str:
    """The mean score with half the width of its 95 % confidence interval; empty without cells."""
    if not cells:
        return ""
    mean, half = score_interval(cells)
    return f"{mean:.1f} ± {half:.1f}"
