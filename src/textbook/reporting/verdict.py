"""Whether the student is worth it: how it does beside the baselines, and if badly, what is likely to help."""

from collections.abc import Mapping
from typing import Any

from textbook.evaluation.comparison import not_beaten
from textbook.params import Distill, Metric
from textbook.reporting.table import titles

BASELINES = ("scratch", "majority", "tfidf", "embeddings", "truncated_teacher")
SIGNIFICANT = 0.05
OFTEN = 10  # readings of a textbook; students that read theirs 8 times did well, 19 times badly (learnt by heart)
FEW_WORDS = 35.0  # percent of words in common; the paper's tasks have 35.7 to 71.3 with their textbooks (Figure 3)


def warning(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> str:
    """One line with the baselines that a student must beat to be worth it and does not; empty if it beats them all.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
    """
    names = titles(figures, metric)
    others = [f"{names[name]} ({figures[name]['score']:.1f})" for name in not_beaten(figures)]
    if not others:
        return ""
    return (
        f"The student ({figures['student']['score']:.1f}) does not beat {', '.join(others)}"
        " by more than the error of the difference."
    )


def advice(
    figures: Mapping[str, Mapping[str, Any]], metric: Metric, distill: Distill, textbook: Mapping[str, Any], texts: int
) -> str:
    """What is likely to help a student that is not worth it, in one line, with the parameters to change.

    Args:
        textbook: the figures of the textbook, the first one if there are two; may be empty.
        texts: the sentences or pairs in it; 0 if their number is not known.
    """
    names, teacher = titles(figures, metric), figures["teacher"]
    simple = [name for name in ("majority", "tfidf") if name in figures]
    best = max(simple, key=lambda name: figures[name]["score"], default=None)
    parts = []
    if best and teacher["score"] - figures[best]["score"] <= teacher["standard_error"]:
        parts.append(
            f"The teacher itself ({teacher['score']:.1f}) is hardly better than {names[best]}"
            f" ({figures[best]['score']:.1f}): train it longer (teacher.epochs) or take another (teacher.asset)."
        )
    parts.append(_on_steps(distill, texts * distill.top_percent / 100))
    common = textbook.get("overlap_with_task")
    if common is not None and common < FEW_WORDS:
        parts.append(
            f"Only {common:.0f} % of their most frequent words are common to task and textbook:"
            " add general text that is closer to the task (corpus.sources)."
        )
    return f"What is likely to help: {' '.join(parts)}"


def _on_steps(distill: Distill, texts: float) -> str:
    """Whether more steps or a larger textbook are likely to help.

    Args:
        texts: the sentences or pairs in the part of the textbook that was used; 0 if their number is not known.
    """
    steps = f"{distill.steps:,} steps"
    if not texts:
        return f"Distillation took {steps}: take more (distill.steps)."
    times = distill.steps * distill.batch / texts
    if times > OFTEN:
        return (
            f"Distillation read the textbook {times:.1f} times in {steps}, which is learning it by heart:"
            " make it larger, with more general text (corpus.sources)."
        )
    read = f"the textbook {times:.1f} times" if times >= 1 else f"{100 * times:.3g} % of the textbook"
    return f"Distillation read {read} in {steps}: take more steps (distill.steps)."


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
