"""The report: one HTML page that needs nothing beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from textbook.files import write_aside
from textbook.reporting.cells import TABLE2
from textbook.reporting.findings import HEAD, Finding
from textbook.reporting.grid import Grid
from textbook.reporting.scale import Scale

TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class TaskSection:
    """What the report says of one task; `curves` are SVG elements by caption."""

    task: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, ...]]
    costs: Sequence[tuple[str, ...]]
    gain: float
    textbook: dict[str, int | str]
    kind: str
    examples: Sequence[str]
    curves: dict[str, str]
    registered: dict[str, str]


@dataclass(frozen=True)
class AnalysisSection:
    """What the textbooks are made of: tables (header first) and SVG elements, by caption."""

    tables: dict[str, list[list[str]]]
    figures: dict[str, str]


def write_page(
    sections: Sequence[TaskSection],
    grids: Sequence[Grid],
    nearness: str,
    found: Sequence[Finding],
    figure2: Mapping[str, str],
    analysis: AnalysisSection | None,
    scale: Scale | None,
    path: Path,
) -> None:
    """Write the page, whole or not at all; `nearness` is an SVG element, `figure2` are such by caption."""
    page = Environment(autoescape=True, trim_blocks=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    html = page.render(
        sections=sections,
        grids=grids,
        nearness=nearness,
        details=TABLE2,
        findings=found,
        head=HEAD,
        figure2=figure2,
        analysis=analysis,
        scale=scale,
    )
    with write_aside(path) as aside:
        aside.write_text(html, encoding="utf-8")
