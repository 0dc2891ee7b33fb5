"""The grid of a sweep as a reader wants it: which textbook to trust (the paper's Table 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from textbook.reporting.cells import DECISIVE, LOSS, Row, at, difference, distinct, done, mean_of, number
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
    """The textbook that is best by more than the error, in most of the lines where one is; empty if none is."""
    rows: Sequence[Row]
    """The rows of the sweep's table, as they are."""


def grids(rows: Sequence[Row]) -> list[Grid]:
    """A grid for each task of a sweep's table; of several seeds the mean.

    Args:
        rows: with `task`, `init`, `teacher`, `textbook`, `metric`, `mean`, `std`, `standard_error` and `seeds`, from
            `metric` on empty where the `state` is not done.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    return [_grid(task, [row for row in rows if row["task"] == task]) for task in distinct(rows, "task")]


def _grid(task: str, rows: Sequence[Row]) -> Grid:
    textbooks = distinct(rows, "textbook")
    lines, winners = [], []
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        cells = {book: at(rows, (init, teacher, book)) for book in textbooks}
        scored = {book: done(found) for book, found in cells.items() if done(found)}
        best = max((mean_of(found, "mean") for found in scored.values()), default=None)
        winners += [book for book in scored if _is_ahead(book, scored)]
        scores = [
            _score(found, book in scored and mean_of(scored[book], "mean") == best) if found else None
            for book, found in cells.items()
        ]
        lines.append((init, teacher, scores))
    metric = next((row["metric"] for row in done(rows)), "")
    winner = max(textbooks, key=winners.count) if winners else ""
    teacher = next((f"{value:.1f}" for row in rows if (value := number(row, "teacher_score")) is not None), "")
    return Grid(task, metric, teacher, textbooks, lines, winner, rows)


def _is_ahead(book: str, scored: Mapping[str, Sequence[Row]]) -> bool:
    """Whether a textbook's score is above that of every other one, by more than the error."""
    leads = [difference(scored[book], found) for other, found in scored.items() if other != book]
    return bool(leads) and all(lead > DECISIVE * error for lead, error in leads)


def _score(cells: Sequence[Row], best: bool) -> Score:
    paper, scored = cells[0]["paper_score"], done(cells)
    if not scored:
        return Score(cells[0]["state"], "", paper, best=False)
    losses = [loss for row in scored if (loss := number(row, LOSS)) is not None]
    text = f"{mean_of(scored, 'mean'):.1f} ± {mean_of(scored, 'std'):.1f}"
    return Score(text, f"{mean(losses):.3f}" if losses else "", paper, best)
