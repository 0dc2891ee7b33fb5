"""The comparison that a user came for, as rows of text."""

from collections.abc import Mapping
from typing import Any

COLUMNS = ("model", "accuracy", "parameters", "size", "ms/sentence", "speed-up")
TITLES = {"teacher": "teacher", "scratch": "student from scratch", "student": "distilled student"}


def comparison(figures: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row of `COLUMNS` for each model.

    Args:
        figures: what `evaluate` measured, by name of the model; accuracy is in percent.
    """
    slowest = figures["teacher"]["ms_per_sentence"]
    rows: list[tuple[str, ...]] = []
    for name, title in TITLES.items():
        figure = figures[name]
        spread = f" ± {figure['accuracy_std']:.1f}" if figure["seeds"] > 1 else ""
        rows.append(
            (
                title,
                f"{figure['accuracy']:.1f}{spread}",
                f"{figure['parameters'] / 1e6:.1f} M",
                f"{figure['bytes'] / 1e6:.1f} MB",
                f"{figure['ms_per_sentence']:.1f}",
                f"{slowest / figure['ms_per_sentence']:.1f}x",
            )
        )
    return rows
