"""The front of quality and cost: which models no other one beats at both."""

from collections.abc import Mapping, Sequence
from typing import Any

from textbook.params import Metric
from textbook.reporting.curves import Point, scatter
from textbook.reporting.table import LABELS, titles

COSTS = {"ms_per_sentence": ("CPU ms per text", 1.0), "bytes": ("MB", 1e-6)}
"""Figures of a model that are better if lower, with their label and the factor to its unit."""
CLOSE = 1.0  # points behind the teacher


def not_dominated(figures: Mapping[str, Mapping[str, Any]], cost: str) -> list[str]:
    """The names of the models that no other one dominates, the cheapest first.

    A model dominates another one if its score is not lower, its cost is not higher, and one of them is better.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
        cost: one of `COSTS`.
    """
    front: list[str] = []
    for name in sorted(figures, key=lambda name: (figures[name][cost], -figures[name]["score"])):
        if not front or figures[name]["score"] > figures[front[-1]]["score"]:
            front.append(name)
    return front


def smallest_close(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> str:
    """One sentence that names the smallest model whose score is at most `CLOSE` points below the teacher's."""
    names = titles(figures, metric)
    close = [name for name in names if figures[name]["score"] >= figures["teacher"]["score"] - CLOSE]
    smallest = min(close, key=lambda name: figures[name]["bytes"])
    if smallest == "teacher":
        return f"No smaller model is within {CLOSE:g} point of the teacher."
    size, speed = (f"{figures[smallest][cost] * factor:.1f} {unit}" for cost, (unit, factor) in reversed(COSTS.items()))
    return f"The smallest model within {CLOSE:g} point of the teacher: {names[smallest]} ({size}, {speed})."


def front_figure(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> str:
    """Draw the score against each cost, as one SVG element. Models on the front are filled dots, joined by a line.

    The majority class, which costs nothing, is left out.
    """
    names = {name: title for name, title in titles(figures, metric).items() if name != "majority"}
    panels: dict[str, Sequence[Point]] = {}
    for cost, (label, factor) in COSTS.items():
        front = not_dominated({name: figures[name] for name in names}, cost)
        panels[label] = [
            Point(names[name], figures[name][cost] * factor, figures[name]["score"], name in front) for name in names
        ]
    return scatter(panels, f"{LABELS[metric]}, %")
