"""Whether the student is worth it: one line on how it does beside the baselines."""

from collections.abc import Mapping
from typing import Any

from textbook.params import Metric
from textbook.reporting.table import titles

BASELINES = ("scratch", "majority", "tfidf", "embeddings", "truncated_teacher")
SIGNIFICANT = 0.05


def verdict(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> str:
    """One line that says first which baselines are better than the student; empty if none was compared with it.

    A difference is significant if its p-value, corrected for the number of comparisons, is below 5 %.
    """
    names = titles(figures, metric)
    leads = {name: figures[name]["paired"] for name in BASELINES if "paired" in figures.get(name, {})}
    beaten = [name for name, lead in leads.items() if lead["value"] > 0 and lead["p_holm"] < SIGNIFICANT]
    ahead = [name for name, lead in leads.items() if lead["value"] < 0]
    others = [name for name in leads if name not in (*beaten, *ahead)]
    parts = []
    if ahead:
        by = ", ".join(f"{names[name]} (by {_points(leads[name])})" for name in ahead)
        parts.append(f"Better than the student: {by}.")
    if others:
        parts.append(f"The student is not significantly better than: {', '.join(names[name] for name in others)}.")
    if beaten:
        every = "every baseline" if len(beaten) == len(leads) else ", ".join(names[name] for name in beaten)
        parts.append(f"The student is significantly better than {every}.")
    return " ".join(parts)


def _points(lead: Mapping[str, float]) -> str:
    """How far a baseline is ahead."""
    chance = "" if lead["p_holm"] < SIGNIFICANT else ", which may be chance"
    return f"{-lead['value']:.1f} points{chance}"
