"""The grid of a sweep as a reader wants it: which textbook to trust (the paper's Table 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from textbook.reporting.cells import LOSS, Row, at, distinct, done, mean_of, number
from textbook.reporting.paper import beside_paper


@dataclass(frozen=True)
class Score:
    """A cell of the grid as the table shows it."""

    text: str
    loss: str
    """The relation loss on the task's validation texts."""
    paper: str
    best: bool
    """Whether no other textbook did better for this init and teacher."""


@dataclass(frozen=True)
class Grid:
    """The cells of one task: lines of init and teacher, each with a score for every textbook, or None.

    A cell that came to nothing says so in place of its score.
    """

    task: str
    metric: str
    teacher: str
    """The score of the fine-tuned teacher."""
    textbooks: Sequence[str]
    lines: Sequence[tuple[str, str, Sequence[Score | None]]]
    winner: str
    """The textbook that is best for most of the lines."""
    rows: Sequence[Row]
    """The rows of the sweep's table, as they are."""


def grids(rows: Sequence[Row]) -> list[Grid]:
    """A grid for each task of a sweep's table; of several seeds the mean.

    Args:
        rows: with `task`, `init`, `teacher`, `textbook`, `metric`, `mean` and `std`, the last three empty where the
            `state` is not done.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    return [_grid(task, [row for row in rows if row["task"] == task]) for task in distinct(rows, "task")]


def _grid(task: str, rows: Sequence[Row]) -> Grid:
    textbooks = distinct(rows, "textbook")
    lines, winners = [], []
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        cells = {book: at(rows, (init, teacher, book)) for book in textbooks}
        means = {book: mean_of(done(found), "mean") for book, found in cells.items() if done(found)}
        best = max(means.values(), default=None)
        winners += [book for book, value in means.items() if value == best][:1]
        scores = [_score(found, means.get(book) == best) if found else None for book, found in cells.items()]
        lines.append((init, teacher, scores))
    metric = next((row["metric"] for row in done(rows)), "")
    winner = max(textbooks, key=winners.count) if winners else "none"
    teacher = next((f"{value:.1f}" for row in rows if (value := number(row, "teacher_score")) is not None), "")
    return Grid(task, metric, teacher, textbooks, lines, winner, rows)


def _score(cells: Sequence[Row], best: bool) -> Score:
    paper, scored = cells[0]["paper_score"], done(cells)
    if not scored:
        return Score(cells[0]["state"], "", paper, best=False)
    losses = [loss for row in scored if (loss := number(row, LOSS)) is not None]
    text = f"{mean_of(scored, 'mean'):.1f} ± {mean_of(scored, 'std'):.1f}"
    return Score(text, f"{mean(losses):.3f}" if losses else "", paper, best)
