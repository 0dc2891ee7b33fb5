"""The grid of a sweep as a reader wants it: which textbook to trust (the paper's Table 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textbook.reporting.paper import beside_paper

Row = Mapping[str, str]


@dataclass(frozen=True)
class Score:
    """A cell of the grid as the table shows it."""

    text: str
    paper: str
    best: bool
    """Whether no other textbook did better for this init and teacher."""


@dataclass(frozen=True)
class Grid:
    """The cells of one task: lines of init and teacher, each with a score for every textbook, or None."""

    task: str
    metric: str
    textbooks: Sequence[str]
    lines: Sequence[tuple[str, str, Sequence[Score | None]]]
    winner: str
    """The textbook that is best for most of the lines."""
    rows: Sequence[Row]
    """The rows of the sweep's table, as they are."""


def grids(rows: Sequence[Row]) -> list[Grid]:
    """A grid for each task of a sweep's table; of several seeds the mean.

    Args:
        rows: with `task`, `init`, `teacher`, `textbook`, `metric`, `mean` and `std`.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    return [_grid(task, [row for row in rows if row["task"] == task]) for task in _distinct(rows, "task")]


def _grid(task: str, rows: Sequence[Row]) -> Grid:
    textbooks = _distinct(rows, "textbook")
    lines, winners = [], []
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        cells = {
            book: [row for row in rows if (row["init"], row["teacher"], row["textbook"]) == (init, teacher, book)]
            for book in textbooks
        }
        means = {book: _mean(found) for book, found in cells.items() if found}
        winners.append(max(means, key=lambda book: means[book]))
        scores = [
            Score(_text(cells[book]), cells[book][0]["paper_score"], means[book] == max(means.values()))
            if book in means
            else None
            for book in textbooks
        ]
        lines.append((init, teacher, scores))
    return Grid(task, rows[0]["metric"], textbooks, lines, max(textbooks, key=winners.count), rows)


def _mean(rows: Sequence[Row]) -> float:
    return sum(float(row["mean"]) for row in rows) / len(rows)


def _text(rows: Sequence[Row]) -> str:
    spread = sum(float(row["std"]) for row in rows) / len(rows)
    return f"{_mean(rows):.1f} ± {spread:.1f}"


def _distinct(rows: Sequence[Row], name: str) -> list[str]:
    return list(dict.fromkeys(row[name] for row in rows))
