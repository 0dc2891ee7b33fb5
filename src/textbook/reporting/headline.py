"""The headline of a task: one sentence on what its student is worth, for a reader who knows no method."""

from collections.abc import Mapping, Sequence
from typing import Any

from textbook.evaluation.comparison import REQUIRED
from textbook.params import Metric
from textbook.reporting.table import LABELS, titles
from textbook.reporting.verdict import SIGNIFICANT


def headline(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> str:
    """The student's score beside its teacher's, how much smaller and faster it is, and the cheapest alternatives.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
        metric: the task's main metric, which is shown in percent.
    """
    teacher, student = figures["teacher"], figures["student"]
    size = _times(teacher["bytes"] / student["bytes"], "smaller", "larger")
    speed = _times(teacher["ms_per_sentence"] / student["ms_per_sentence"], "faster", "slower")
    return (
        f"The student scores {student['score']:.1f} % ({LABELS[metric]}), {_beside_teacher(teacher, student)};"
        f" it is {size} and {speed} on a CPU{_beside_alternatives(figures, metric)}."
    )


def _beside_teacher(teacher: Mapping[str, Any], student: Mapping[str, Any]) -> str:
    lead = round(student["score"] - teacher["score"], 1)
    if not lead:
        return "as much as its teacher"
    chance = "paired" in teacher and teacher["paired"]["p_holm"] >= SIGNIFICANT
    side = "above" if lead > 0 else "below"
    return f"{abs(lead):.1f} points {side} its teacher{', which may be chance' if chance else ''}"


def _times(ratio: float, more: str, less: str) -> str:
    return f"{ratio:.1f} times {more}" if ratio >= 1 else f"{1 / ratio:.1f} times {less}"


def _beside_alternatives(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> str:
    """Which of the cheapest alternatives score higher or about as high, or that the student beats them all."""
    names = titles(figures, metric)
    leads = {name: figures[name]["paired"] for name in REQUIRED if "paired" in figures.get(name, {})}
    if not leads:
        return ""
    ahead = [name for name, lead in leads.items() if lead["value"] < 0]
    level = [name for name, lead in leads.items() if lead["value"] >= 0 and lead["p_holm"] >= SIGNIFICANT]
    if not (ahead or level):
        return f", and significantly better than the cheapest alternatives ({', '.join(names[name] for name in leads)})"
    scored = {name: f"{names[name]} ({figures[name]['score']:.1f} %)" for name in leads}
    clauses = []
    if ahead:
        clauses.append(f"{_join([scored[name] for name in ahead], 'and')} score{'s' * (len(ahead) == 1)} higher")
    if level:
        clauses.append(f"it is not significantly better than {_join([scored[name] for name in level], 'or')}")
    return f", but {' and '.join(clauses)}"


def _join(names: Sequence[str], word: str) -> str:
    """`a`, `a and b` or `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
