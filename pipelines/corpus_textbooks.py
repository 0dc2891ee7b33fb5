"""Checks of a textbook of corpus sentences, for the stages `contextualized` and `general`."""

from pathlib import Path
from typing import Any

from pipelines.paths import EXPECTATIONS
from pipelines.textbooks import Figures
from textbook.validation import Check, check_figures, check_shards, read_suite


def check_sample(kind: str, book: Path, figures: Figures, context: dict[str, Any]) -> list[Check]:
    """Check a textbook of corpus sentences, and its figures.

    Args:
        context: the values for the placeholders of the suites.
    """
    rows = check_shards([book], read_suite(EXPECTATIONS / "textbook.yaml", context))
    return [*rows, *check_figures(f"{kind}.json", figures, read_suite(EXPECTATIONS / "textbook-figures.yaml", context))]
