"""Tables and figures of the paper's comparison for README and docs, out of what sweeps left.

    python -m benchmarks.comparison

Prints the grid, with the relation losses on validation texts in brackets, what becomes of each of the paper's claims,
and the same figures by step of the longer runs; writes `docs/comparison.svg` and `docs/steps-<task>.svg`.
"""

from collections.abc import Sequence
from pathlib import Path

from textbook.files import read_rows, write_aside
from textbook.reporting.cells import LOSS, Row, distinct
from textbook.reporting.findings import findings
from textbook.reporting.grid import Grid, grids
from textbook.reporting.nearness import nearness
from textbook.reporting.snapshots import snapshot_curves

RESULTS = Path("benchmarks/results")
DOCS = Path("docs")


def main() -> None:
    """Print the tables and the claims, and write the figures."""
    _print_grid(read_rows(RESULTS / "reduced-cpu.csv"))
    _print_steps(read_rows(RESULTS / "reduced-cpu-steps.csv"))


def _print_grid(rows: Sequence[Row]) -> None:
    found = grids(rows)
    print("| init | teacher | textbook |" + "".join(f" {grid.task}, {grid.metric} |" for grid in found))
    print("|---|---|---|" + "---:|" * len(found))
    print("| the teacher | | |" + "".join(f" {grid.teacher} |" for grid in found))
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        for book in distinct(rows, "textbook"):
            cells = [_cell(grid, init, teacher, book) for grid in found]
            if any(cells):
                print(f"| {init} | {teacher} | {book} |" + "".join(f" {cell} |" for cell in cells))
    for finding in findings(rows):
        print(f"\n{finding.claim}\n  {finding.verdict}")
        for line in finding.lines:
            print("  " + " | ".join(line))
    _draw("comparison", nearness(rows))


def _print_steps(rows: Sequence[Row]) -> None:
    """What each textbook has come to by each step, score and loss; and its losses as a figure for each task."""
    for task in distinct(rows, "task"):
        mine = [row for row in rows if row["task"] == task]
        steps = distinct(mine, "step")
        print(f"\n| {task}, {mine[0]['metric']} |" + "".join(f" {step} steps |" for step in steps))
        print("|---|" + "---:|" * len(steps))
        for book, part in dict.fromkeys((row["textbook"], row["top_percent"]) for row in mine):
            line = {row["step"]: row for row in mine if (row["textbook"], row["top_percent"]) == (book, part)}
            cells = [
                f" {float(line[step]['score']):.1f} ({float(line[step][LOSS]):.3f}) |" if step in line else " |"
                for step in steps
            ]
            print(f"| {book}, top {float(part):g} % |" + "".join(cells))
        _, losses = snapshot_curves(mine).values()
        _draw(f"steps-{task}", losses)


def _draw(name: str, svg: str) -> None:
    with write_aside(DOCS / f"{name}.svg") as aside:
        aside.write_text(svg, encoding="utf-8")


def _cell(grid: Grid, init: str, teacher: str, book: str) -> str:
    """A cell of one task's grid, empty where it has none."""
    lines = {(line[0], line[1]): dict(zip(grid.textbooks, line[2], strict=True)) for line in grid.lines}
    score = lines.get((init, teacher), {}).get(book)
    return f"{score.text} ({score.loss})" + (f" *{score.paper}*" if score.paper else "") if score else ""


if __name__ == "__main__":
    main()
