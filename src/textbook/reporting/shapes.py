"""The scores and costs of a sweep by shape of the student: how small the student may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textbook.reporting.cells import Row, at, distinct, done, mean_of, score_interval
from textbook.reporting.front import COSTS, Models, name_smallest, size_and_time

NOTE = "A name with a textbook in brackets is that of a shape in the sweep: its best student."


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
    lines: Sequence[tuple[str, str, str, str, str, Sequence[str]]]
    """Init, teacher, shape, size, time, and the scores. Size and time are empty in a table of an older version."""
    smallest: str
    """The smallest shape that is close to the teacher, in one sentence; empty without sizes."""


def shape_tables(rows: Sequence[Row]) -> list[ShapeTable]:
    """One table for each task, of the students that used all of their textbook; none if the sweep has only one shape.

    Args:
        rows: the rows of `reports/sweep.csv`.
    """
    if len({row.get("student") for row in rows}) < 2:
        return []
    rows = _whole(rows)
    return [_table([row for row in rows if row["task"] == task]) for task in distinct(rows, "task")]


def shape_models(rows: Sequence[Row], task: str) -> dict[str, Mapping[str, float]]:
    """The best student of each shape that has a name, to be compared with other models.

    The best one has the highest mean score over its seeds, among students that used all of their textbook.

    Args:
        rows: the rows of `reports/sweep.csv`.

    Returns:
        By title, such as `tiny (contextualized)`, the `score`, the `teacher_score` and the costs. Empty if the table is
        of an older version, without costs.
    """
    best: dict[str, tuple[str, Mapping[str, float]]] = {}
    named = [row for row in _whole(rows) if row["task"] == task and row.get("student") and row.get("bytes")]
    for place in dict.fromkeys((row["student"], row["init"], row["teacher"], row["textbook"]) for row in named):
        shape, _, teacher, book = place
        cells = at([row for row in named if row["student"] == shape], place[1:])
        names = {"score": "mean", "teacher_score": "teacher_score", **{cost: cost for cost in COSTS}}
        model = {name: mean_of(cells, column) for name, column in names.items()}
        title = f"{shape} ({book}{'' if teacher == 'task' else f', {teacher} teacher'})"
        if shape not in best or model["score"] > best[shape][1]["score"]:
            best[shape] = title, model
    return dict(best.values())


def _whole(rows: Sequence[Row]) -> list[Row]:
    """The finished rows of students that used all of their textbook."""
    return [row for row in done(rows) if float(row["top_percent"]) == 100]


def _table(rows: Sequence[Row]) -> ShapeTable:
    books, task = distinct(rows, "textbook"), rows[0]["task"]
    lines = []
    for init, teacher, shape in dict.fromkeys((row["init"], row["teacher"], row["student"]) for row in rows):
        of_shape = [row for row in rows if row["student"] == shape]
        scores = [_score_with_error(at(of_shape, (init, teacher, book))) for book in books]
        size, time = _size_and_time(of_shape)
        lines.append((init, teacher, shape, size, time, scores))
    teacher_score = next((f"{float(row['teacher_score']):.1f}" for row in rows if row.get("teacher_score")), "")
    models: Models = shape_models(rows, task)
    return ShapeTable(task, rows[0]["metric"], teacher_score, books, lines, name_smallest(models) if models else "")


def _size_and_time(rows: Sequence[Row]) -> tuple[str, str]:
    """The size and the time of a shape; empty in a table of an older version."""
    if not rows[0].get("bytes"):
        return "", ""
    return size_and_time({cost: mean_of(rows, cost) for cost in COSTS})


def _score_with_error(cells: Sequence[Row]) -> str:
    """The mean score with half the width of its 95 % confidence interval; empty without cells."""
    if not cells:
        return ""
    mean, half = score_interval(cells)
    return f"{mean:.1f} ± {half:.1f}"
