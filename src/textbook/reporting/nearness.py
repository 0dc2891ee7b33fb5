"""How close each textbook brings a student to its teacher, on texts of the task that no textbook contains."""

from collections.abc import Sequence

from textbook.reporting.cells import LOSS, Row, at, distinct, done, mean_of
from textbook.reporting.curves import strips

BASELINE = "general"


def nearness(rows: Sequence[Row]) -> str:
    """Plot the relation losses of all tasks, in percent of the general textbook's, with a panel per init and teacher.

    Args:
        rows: the rows of the sweep's table.

    Returns:
        An SVG element; empty if no textbook can be compared with the general one.
    """
    rows = [row for row in done(rows) if row.get(LOSS)]
    panels: dict[str, dict[str, dict[str, float]]] = {}
    for init, teacher in dict.fromkeys((row["init"], row["teacher"]) for row in rows):
        for task in distinct(rows, "task"):
            task_rows = [row for row in rows if row["task"] == task]
            losses = {
                book: mean_of(cells, LOSS)
                for book in distinct(rows, "textbook")
                if (cells := at(task_rows, (init, teacher, book)))
            }
            if BASELINE in losses and len(losses) > 1:
                relative = {book: 100 * loss / losses[BASELINE] for book, loss in losses.items()}
                panels.setdefault(f"init {init}, teacher {teacher}", {})[task] = relative
    return strips(panels, "relation loss, general textbook = 100") if panels else ""
