"""The grid of a sweep as one table per task, like the paper's Table 2: which textbook to trust."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from textbook.reporting.cells import (
    LOSS,
    Comparisons,
    Row,
    at,
    difference,
    distinct,
    done,
    mean_of,
    number,
)
from textbook.reporting.paper import beside_paper
from textbook.reporting.verdict import SIGNIFICANT


@dataclass(frozen=True)
class Score:
    """One cell of the grid, formatted for the table."""

    text: str
    loss: str
    """The relation loss on the task's validation texts; empty if there is none."""
    paper: str
    """The paper's score; empty if the paper has none."""
    best: bool
    """Whether no other textbook scores higher for this init and teacher."""


@dataclass(frozen=True)
class Grid:
    """The cells of one task: one line for each init and teacher, with one entry for each textbook.

    An entry is None if the grid has no such cell. A cell without a score shows its state instead.
    """

    task: str
    metric: str
    teacher: str
    """The score of the fine-tuned teacher; empty if it is unknown."""
    textbooks: Sequence[str]
    lines: Sequence[tuple[str, str, Sequence[Score | None]]]
    winner: str
    """The textbook that leads significantly in the most lines; empty if none leads in any."""
    rows: Sequence[Row]
    """The rows of the sweep's table, with the paper's figures."""


def grids(rows: Sequence[Row], comparisons: Comparisons | None = None) -> list[Grid]:
    """One grid for each task of a sweep's table. Figures are averaged over seeds of distillation.

    Args:
        rows: have `task`, `init`, `teacher`, `textbook`, `metric`, `mean`, `std`, `standard_error`, `seeds` and
            `state`. The fields from `metric` to `seeds` are empty if the cell is not done.
        comparisons: paired differences. Without that of two places, their errors count as independent.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    by_task = {task: [row for row in rows if row["task"] == task] for task in distinct(rows, "task")}
    return [_grid(task, task_rows, comparisons or {}) for task, task_rows in by_task.items()]


def _grid(task: str, rows: Sequence[Row], comparisons: Comparisons) -> Grid:
    textbooks = distinct(rows, "textbook")
    lines, winners = [], []
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        cells = {book: at(rows, (init, teacher, book)) for book in textbooks}
        scored = {book: scored_cells for book, book_cells in cells.items() if (scored_cells := done(book_cells))}
        best = max((mean_of(scored_cells, "mean") for scored_cells in scored.values()), default=None)
        winners += [book for book in scored if _leads(book, scored, comparisons)]
        scores = [
            _score(book_cells, book in scored and mean_of(scored[book], "mean") == best) if book_cells else None
            for book, book_cells in cells.items()
        ]
        lines.append((init, teacher, scores))
    metric = next((row["metric"] for row in done(rows)), "")
    winner = max(textbooks, key=winners.count) if winners else ""
    teacher = next((f"{value:.1f}" for row in rows if (value := number(row, "teacher_score")) is not None), "")
    return Grid(task, metric, teacher, textbooks, lines, winner, rows)


def _leads(book: str, scored: Mapping[str, Sequence[Row]], comparisons: Comparisons) -> bool:
    """Whether a textbook scores significantly higher than every other one.

    All differences must be significant, so none is corrected for the number of textbooks.
    """
    leads = [difference(scored[book], cells, comparisons)[0] for other, cells in scored.items() if other != book]
    return bool(leads) and all(lead.value > 0 and lead.p < SIGNIFICANT for lead in leads)


def _score(cells: Sequence[Row], best: bool) -> Score:
    paper, scored = cells[0]["paper_score"], done(cells)
    if not scored:
        return Score(cells[0]["state"], "", paper, best=False)
    losses = [loss for row in scored if (loss := number(row, LOSS)) is not None]
    text = f"{mean_of(scored, 'mean'):.1f} ± {mean_of(scored, 'std'):.1f}"
    return Score(text, f"{mean(losses):.3f}" if losses else "", paper, best)
