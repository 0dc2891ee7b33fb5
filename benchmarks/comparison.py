"""README's table and figure of the paper's comparison, out of a sweep's table.

    python -m benchmarks.comparison [benchmarks/results/reduced-cpu.csv]

Prints the grid, with the relation losses on validation texts in brackets, and what becomes of each of the paper's
claims; writes `docs/comparison.svg`.
"""

import sys
from pathlib import Path

from textbook.files import read_rows, write_aside
from textbook.reporting.cells import distinct
from textbook.reporting.findings import findings
from textbook.reporting.grid import Grid, grids
from textbook.reporting.nearness import nearness

TABLE = Path("benchmarks/results/reduced-cpu.csv")
FIGURE = Path("docs/comparison.svg")


def main(table: Path) -> None:
    """Print the table and the claims, and write the figure."""
    rows = read_rows(table)
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
    with write_aside(FIGURE) as aside:
        aside.write_text(nearness(rows), encoding="utf-8")


def _cell(grid: Grid, init: str, teacher: str, book: str) -> str:
    """A cell of one task's grid, empty where it has none."""
    lines = {(line[0], line[1]): dict(zip(grid.textbooks, line[2], strict=True)) for line in grid.lines}
    score = lines.get((init, teacher), {}).get(book)
    return f"{score.text} ({score.loss})" + (f" *{score.paper}*" if score.paper else "") if score else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE)
