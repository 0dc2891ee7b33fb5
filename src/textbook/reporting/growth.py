"""How the work on general text grows with its size, and what it is at the paper's size (section 3.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textbook.files import read_json

GB = 160  # of general text in the paper
CORES = 200  # of a cluster of ordinary machines
FIGURES = "scale.json"
NAMES = {
    "split": "splitting into sentences",
    "merge": "removing duplicates",
    "validate": "validation",
    "index": "index",
    "textbook": "a textbook",
}

TableLine = tuple[str, ...]


@dataclass(frozen=True)
class Growth:
    """The measurements and what follows from them, as lines of text."""

    sizes: Sequence[TableLine]
    """A line for each size of text, header first."""
    costs: Sequence[TableLine]
    """A line for each step, header first: its cost at the largest size measured, and at 160 GB."""
    exponent: float
    """The power of the size with which the time of all steps together grows; 1 is linear."""


def measured_growth(results: Path) -> Growth | None:
    """The figures of `python -m benchmarks.scale`; None if it has not measured two sizes.

    Args:
        results: the folder with the figures.
    """
    path = results / FIGURES
    figures = read_json(path) if path.is_file() else {"points": []}
    return growth(figures) if len(figures["points"]) > 1 else None


def growth(figures: Mapping[str, Any]) -> Growth:
    """The figures of at least two sizes of text as tables."""
    points, cores = figures["points"], figures["threads"]
    names = {**NAMES, "textbook": f"a textbook of {points[-1]['anchors']:,} anchors"}
    head = ("text", *names.values(), "most memory", "the index was read")
    sizes = [head, *(_size_line(point) for point in points)]
    largest = points[-1]
    costs: list[TableLine] = [("step", "core hours per GB", "grows with the power", "160 GB", "on 200 cores")]
    for step, name in names.items():
        per_gb = largest["seconds"][step] * cores / largest["gb"] / 3600
        costs.append(_cost_line(name, per_gb, figures["exponents"][step]))
    total = sum(largest["seconds"].values()) * cores / largest["gb"] / 3600
    costs.append(_cost_line("all", total, figures["exponent"]))
    return Growth(sizes, costs, figures["exponent"])


def _size_line(point: Mapping[str, Any]) -> TableLine:
    peak, read = max(point["peak_gb"].values()), point["index_bytes_read"] / point["index_bytes"]
    seconds = (f"{point['seconds'][step]:,.0f} s" for step in NAMES)
    return (f"{point['gb']:.2f} GB", *seconds, f"{peak:.1f} GB", f"{read:.2f} times")


def _cost_line(name: str, per_gb: float, exponent: float) -> TableLine:
    hours = per_gb * GB
    return (name, f"{per_gb:.3f}", f"{exponent:.2f}", f"{hours:,.0f} core hours", f"{hours / CORES * 60:,.0f} minutes")
