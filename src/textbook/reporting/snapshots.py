"""Students on their way: scores by step, by textbook and how much of it was used (the paper's Figure 2)."""

from collections.abc import Sequence

from textbook.reporting.cells import LOSS, Row, distinct, mean_of
from textbook.reporting.curves import curve

FIGURES = {"score": "on validation data", LOSS: "on the task's validation texts"}


def snapshot_curves(rows: Sequence[Row]) -> dict[str, str]:
    """SVG elements by caption: for each task, init, teacher and number of steps the scores, and the relation losses.

    Of several seeds they are the mean.

    Args:
        rows: those of `reports/figure2.csv`, one for each snapshot.
    """
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        part = float(row["top_percent"])
        line = row["textbook"] if part == 100 else f"{row['textbook']}, top {part:g} %"
        place = " · ".join(row[name] for name in ("task", "init", "teacher"))
        groups.setdefault(f"{place} · {row['steps']} steps", {}).setdefault(line, []).append(row)
    figures = {}
    for group, lines in groups.items():
        mine = [row for found in lines.values() for row in found]
        for figure, where in FIGURES.items():
            label = mine[0]["metric"] if figure == "score" else "relation loss"
            series = {name: _points(found, figure) for name, found in lines.items()}
            runs = ", ".join(distinct(mine, "run_id"))
            figures[f"{group}: {label} {where} (runs {runs})"] = curve(series, "step of distillation", label)
    return figures


def _points(rows: Sequence[Row], figure: str) -> list[tuple[float, float]]:
    """A figure by step."""
    return [
        (int(step), mean_of([row for row in rows if row["step"] == step], figure)) for step in distinct(rows, "step")
    ]
