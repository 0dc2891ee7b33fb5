"""The tables of the page "Scale": the report's estimate, from the measurements in the repository."""

from collections.abc import Sequence
from pathlib import Path

from textbook.reporting.growth import measured_growth
from textbook.reporting.scale import measured_scale


def scale_page(results: Path, cost_per_hour: float) -> str:
    """The estimate in Markdown.

    Args:
        results: the folder with the figures of `make bench`.
        cost_per_hour: the price of a GPU hour.
    """
    estimate = measured_scale(results, cost_per_hour)
    assert estimate, f"{results} has no figures"
    parts = []
    if growth := measured_growth(results):
        parts.append(f"### How time grows with the text: with the size to the power {growth.exponent:.2f}")
        parts += [_table(growth.sizes), _table(growth.costs)]
    parts.append(f"### Work on the text, without a GPU\n\n{_table(estimate.text)}")
    parts.append(f"### Training: hours, and cost on an H100\n\n{_table(estimate.gpu)}")
    parts.append("### Limits, and how the design deals with them")
    parts += [f"**{limit[0].upper()}{limit[1:]}**: {size}. {design}" for limit, size, design in estimate.limits]
    return "\n\n".join(parts)


def _table(lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first line is its header."""
    header, *rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([header, "|---" + "|---:" * (len(lines[0]) - 1) + "|", *rows])
