"""The report: one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from textbook.files import atomic_write
from textbook.reporting.cells import TABLE2
from textbook.reporting.findings import HEAD, Finding
from textbook.reporting.grid import Grid
from textbook.reporting.scale import Scale
from textbook.reporting.table import NOTE

TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class TaskSection:
    """The report's section on one task."""

    task: str
    columns: Sequence[str]
    """The header of `rows`."""
    rows: Sequence[tuple[str, ...]]
    """The comparison of the models."""
    costs: Sequence[tuple[str, ...]]
    """Operations and times of the networks, header first."""
    concern: str
    """Why the student is not worth it, and what is likely to help; empty if it is."""
    verdict: str
    """How the student does beside the baselines, in one line."""
    gain: float
    """The score of the distilled student minus that of the student from scratch, in points."""
    textbook: dict[str, int | str]
    """The textbook's figures."""
    kind: str
    """The kind of the textbook, such as `contextualized`."""
    examples: Sequence[str]
    curves: dict[str, str]
    """SVG elements by caption."""
    registered: dict[str, str]
    """The registered model: its version, alias and run."""


@dataclass(frozen=True)
class AnalysisSection:
    """The statistics of the textbooks: tables (header first) and SVG elements, by caption."""

    tables: dict[str, list[list[str]]]
    figures: dict[str, str]


def write_page(
    sections: Sequence[TaskSection],
    grids: Sequence[Grid],
    nearness: str,
    findings: Sequence[Finding],
    figure2: Mapping[str, str],
    analysis: AnalysisSection | None,
    scale: Scale | None,
    path: Path,
) -> None:
    """Write the page atomically.

    Args:
        nearness: an SVG element.
        figure2: SVG elements by caption.
    """
    template = Environment(autoescape=True, trim_blocks=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    html = template.render(
        sections=sections,
        grids=grids,
        nearness=nearness,
        details=TABLE2,
        findings=findings,
        head=HEAD,
        figure2=figure2,
        analysis=analysis,
        scale=scale,
        note=NOTE,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
