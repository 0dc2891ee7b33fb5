"""How near each textbook brings a student to its teacher on texts of the task that no textbook has."""

from collections.abc import Sequence

from textbook.reporting.cells import LOSS, Row, at, distinct, done, mean_of
from textbook.reporting.curves import strips

BASELINE = "general"


def nearness(rows: Sequence[Row]) -> str:
    """An SVG element: for each init and teacher the tasks' relation losses, in percent of the general textbook's.

    Empty where no cell has a loss, or none that of the general textbook beside it.

    Args:
        rows: those of the sweep's table.
    """
    rows = [row for row in done(rows) if row.get(LOSS)]
    panels: dict[str, dict[str, dict[str, float]]] = {}
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        for task in distinct(rows, "task"):
            mine = [row for row in rows if row["task"] == task]
            losses = {
                book: mean_of(cells, LOSS)
                for book in distinct(rows, "textbook")
                if (cells := at(mine, (init, teacher, book)))
            }
            if BASELINE in losses and len(losses) > 1:
                title = f"init {init}, teacher {teacher}"
                panels.setdefault(title, {})[task] = {b: 100 * loss / losses[BASELINE] for b, loss in losses.items()}
    return strips(panels, "relation loss, general textbook = 100") if panels else ""
