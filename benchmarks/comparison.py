"""Tables and figures of the paper's comparison for README and docs, from the results of sweeps.

    python -m benchmarks.comparison

Prints the grid with the relation losses on validation texts in parentheses, the verdict on each of the paper's claims,
and the scores and losses of the longer runs by step. Writes `docs/comparison.svg` and `docs/steps-<task>.svg`.
"""

from collections.abc import Sequence
from pathlib import Path

from textbook.files import atomic_write, read_rows
from textbook.reporting.cells import LOSS, Row, distinct
from textbook.reporting.findings import findings
from textbook.reporting.grid import Grid, grids
from textbook.reporting.nearness import nearness
from textbook.reporting.snapshots import snapshot_curves

RESULTS = Path("benchmarks/results")
DOCS = Path("docs")


def main() -> None:
    """Print the tables and the verdicts, and write the figures."""
    _print_grid(read_rows(RESULTS / "reduced-cpu.csv"))
    _print_steps(read_rows(RESULTS / "reduced-cpu-steps.csv"))


def _print_grid(rows: Sequence[Row]) -> None:
    tables = grids(rows)
    print("| init | teacher | textbook |" + "".join(f" {grid.task}, {grid.metric} |" for grid in tables))
    print("|---|---|---|" + "---:|" * len(tables))
    print("| the teacher | | |" + "".join(f" {grid.teacher} |" for grid in tables))
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        for book in distinct(rows, "textbook"):
            cells = [_cell(grid, init, teacher, book) for grid in tables]
            if any(cells):
                print(f"| {init} | {teacher} | {book} |" + "".join(f" {cell} |" for cell in cells))
    for finding in findings(rows):
        print(f"\n{finding.claim}\n  {finding.verdict}")
        for line in finding.lines:
            print("  " + " | ".join(line))
    _write_figure("comparison", nearness(rows))


def _print_steps(rows: Sequence[Row]) -> None:
    """Print the score and loss of each textbook by step, and draw the losses of each task."""
    for task in distinct(rows, "task"):
        task_rows = [row for row in rows if row["task"] == task]
        steps = distinct(task_rows, "step")
        print(f"\n| {task}, {task_rows[0]['metric']} |" + "".join(f" {step} steps |" for step in steps))
        print("|---|" + "---:|" * len(steps))
        for book, percent in dict.fromkeys((row["textbook"], row["top_percent"]) for row in task_rows):
            by_step = {
                row["step"]: row for row in task_rows if (row["textbook"], row["top_percent"]) == (book, percent)
            }
            cells = [
                f" {float(by_step[step]['score']):.1f} ({float(by_step[step][LOSS]):.3f}) |"
                if step in by_step
                else " |"
                for step in steps
            ]
            print(f"| {book}, top {float(percent):g} % |" + "".join(cells))
        _, losses = snapshot_curves(task_rows).values()
        _write_figure(f"steps-{task}", losses)


def _write_figure(name: str, svg: str) -> None:
    with atomic_write(DOCS / f"{name}.svg") as temporary:
        temporary.write_text(svg, encoding="utf-8")


def _cell(grid: Grid, init: str, teacher: str, book: str) -> str:
    """A cell of one task's grid in Markdown; empty if the grid has no such cell."""
    lines = {(line[0], line[1]): dict(zip(grid.textbooks, line[2], strict=True)) for line in grid.lines}
    score = lines.get((init, teacher), {}).get(book)
    return f"{score.text} ({score.loss})" + (f" *{score.paper}*" if score.paper else "") if score else ""


if __name__ == "__main__":
    main()
