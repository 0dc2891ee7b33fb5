"""The front of quality and cost: which models no other one beats at both."""

from collections.abc import Mapping, Sequence
from typing import Any

from textbook.params import Metric
from textbook.reporting.curves import Point, scatter
from textbook.reporting.table import LABELS, titles

COSTS = {"ms_per_sentence": ("CPU ms per text", 1.0), "bytes": ("MB", 1e-6)}
"""Figures of a model that are better if lower, with their label and the factor to its unit."""
CLOSE = 1.0  # points behind the teacher
_TEACHER = "teacher"  # its title

Models = Mapping[str, Mapping[str, Any]]
"""Models by title, with `score`, the `teacher_score` of their teacher, and `COSTS`."""


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


def smallest_close(figures: Mapping[str, Mapping[str, Any]], metric: Metric, shapes: Models | None = None) -> str:
    """One sentence that names the smallest model whose score is at most `CLOSE` points below its teacher's.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
        shapes: more models, such as those of a sweep.
    """
    return name_smallest(_models(figures, metric, shapes))


def name_smallest(models: Models) -> str:
    """One sentence that names the smallest of some models that are at most `CLOSE` points below their teacher."""
    close = [title for title, model in models.items() if model["score"] >= model["teacher_score"] - CLOSE]
    smallest = min(close, key=lambda title: models[title]["bytes"], default=_TEACHER)
    if smallest == _TEACHER:
        return f"No smaller model is within {CLOSE:g} point of the teacher."
    size, time = size_and_time(models[smallest])
    return f"The smallest model within {CLOSE:g} point of the teacher: {smallest} ({size}, {time})."


def size_and_time(model: Mapping[str, Any]) -> tuple[str, str]:
    """The size and the time of a model, as text with units."""
    time, size = (f"{model[cost] * factor:.1f} {unit}" for cost, (unit, factor) in COSTS.items())
    return size, time


def front_figure(figures: Mapping[str, Mapping[str, Any]], metric: Metric, shapes: Models | None = None) -> str:
    """Draw the score against each cost, as one SVG element. Models on the front are filled dots, joined by a line.

    The majority class, which costs nothing, is left out.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
        shapes: more models, such as those of a sweep.
    """
    models = _models({name: figures[name] for name in figures if name != "majority"}, metric, shapes)
    panels: dict[str, Sequence[Point]] = {}
    for cost, (label, factor) in COSTS.items():
        front = not_dominated(models, cost)
        panels[label] = [
            Point(title, model[cost] * factor, model["score"], title in front) for title, model in models.items()
        ]
    return scatter(panels, f"{LABELS[metric]}, %")


def _models(figures: Mapping[str, Mapping[str, Any]], metric: Metric, shapes: Models | None) -> Models:
    """The models of the stage `evaluate` and others, by title."""
    teacher = figures["teacher"]["score"]
    evaluated = {title: {**figures[name], "teacher_score": teacher} for name, title in titles(figures, metric).items()}
    return {**evaluated, **(shapes or {})}
