"""Snapshots of students during distillation: scores by step and by part of the textbook (the paper's Figure 2)."""

from collections.abc import Sequence

from textbook.reporting.cells import LOSS, Row, distinct, mean_of, part_name, setting_name
from textbook.reporting.curves import curve

FIGURES = {"score": "on validation data", LOSS: "on the task's validation texts"}  # columns, and their captions


def snapshot_curves(rows: Sequence[Row]) -> dict[str, str]:
    """Plot the scores and the relation losses by step, for each task, init, teacher, shape and number of steps.

    Figures are averaged over seeds of distillation.

    Args:
        rows: the rows of `reports/figure2.csv`, one per snapshot.

    Returns:
        SVG elements by caption.
    """
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault(f"{setting_name(row)} · {row['steps']} steps", {}).setdefault(part_name(row), []).append(row)
    plots = {}
    for group, by_textbook in groups.items():
        group_rows = [row for textbook_rows in by_textbook.values() for row in textbook_rows]
        runs = ", ".join(distinct(group_rows, "run_id"))
        for column, texts in FIGURES.items():
            label = group_rows[0]["metric"] if column == "score" else "relation loss"
            series = {textbook: _points(textbook_rows, column) for textbook, textbook_rows in by_textbook.items()}
            plots[f"{group}: {label} {texts} (runs {runs})"] = curve(series, "step of distillation", label)
    return plots


def _points(rows: Sequence[Row], column: str) -> list[tuple[float, float]]:
    """The mean of a column by step."""
    return [
        (int(step), mean_of([row for row in rows if row["step"] == step], column)) for step in distinct(rows, "step")
    ]
