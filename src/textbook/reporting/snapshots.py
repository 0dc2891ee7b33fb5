"""Students on their way: scores by step and by how much of the textbook was used (the paper's Figure 2)."""

from collections.abc import Sequence

from textbook.reporting.cells import Row, distinct, mean_of
from textbook.reporting.curves import curve


def snapshot_curves(rows: Sequence[Row]) -> dict[str, str]:
    """SVG elements by caption: for each cell of the grid its score and its relation loss; of several seeds the mean.

    Args:
        rows: those of `reports/figure2.csv`, one for each snapshot.
    """
    cells: dict[str, list[Row]] = {}
    for row in rows:
        cells.setdefault(" · ".join(row[name] for name in ("task", "init", "teacher", "textbook")), []).append(row)
    figures = {}
    for cell, mine in cells.items():
        runs = f"(runs {', '.join(distinct(mine, 'run_id'))})"
        for figure, label in (("score", mine[0]["metric"]), ("task_relation_loss", "relation loss")):
            series = {
                f"top {float(part):g} %": [
                    (int(step), mean_of([row for row in found if row["step"] == step], figure))
                    for found in [[row for row in mine if row["top_percent"] == part]]
                    for step in distinct(found, "step")
                ]
                for part in distinct(mine, "top_percent")
            }
            where = "on validation data" if figure == "score" else "on the task's own training texts"
            figures[f"{cell}: {label} {where} {runs}"] = curve(series, "step of distillation", label)
    return figures
