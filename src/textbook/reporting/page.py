"""The report: one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from textbook.files import atomic_write
from textbook.reporting.cells import TABLE2
from textbook.reporting.confusion import Confusion
from textbook.reporting.findings import HEAD, Finding
from textbook.reporting.grid import Grid
from textbook.reporting.mistakes import Mistake
from textbook.reporting.scale import Scale
from textbook.reporting.shapes import ShapeTable
from textbook.reporting.size_charts import SizeChart
from textbook.reporting.table import NOTE

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Lineage:
    """Where a student comes from."""

    registered: Mapping[str, str]
    """Facts on the registered model by name: its version, alias, run and commit; empty if it is not registered."""
    run_url: str
    """The address of its run in a browser; empty if it is unknown."""
    hashes: Mapping[str, str]
    """The MD5 hashes of the student and of everything it was made from, by path."""


@dataclass(frozen=True)
class TaskSection:
    """The report's section on one task. Tables have their header first."""

    task: str
    headline: str
    concern: str
    """Why the student is not worth it, and what is likely to help; empty if it is."""
    verdict: str
    """How the student does beside the baselines, in one line."""
    gain: float
    """The score of the distilled student minus that of the student from scratch, in points."""
    front: str
    """Quality against cost, an SVG element."""
    smallest: str
    """The smallest model that is close to the teacher, in one sentence, and which models are of the sweep."""
    rows: Sequence[tuple[str, ...]]
    """The comparison of the models."""
    confusions: Mapping[str, Confusion]
    """Confusion matrices by model; empty for a task with a scale."""
    mistakes: Sequence[Mistake]
    curves: Mapping[str, str]
    """Learning curves: SVG elements by caption."""
    kind: str
    """The kind of the textbook, such as `contextualized`."""
    textbook: Mapping[str, int | str]
    """The textbook's figures."""
    examples: Sequence[str]
    """Texts of the textbook."""
    costs: Sequence[tuple[str, ...]]
    """Operations and times of the networks."""
    making: Sequence[tuple[str, ...]]
    """Times and prices of the trainings."""
    lineage: Lineage


@dataclass(frozen=True)
class SweepSection:
    """The report's section on a sweep. Everything in it is empty if there was none."""

    grids: Sequence[Grid]
    shapes: Sequence[ShapeTable]
    nearness: str
    """An SVG element."""
    findings: Sequence[Finding]
    sizes: Sequence[SizeChart]
    figure2: Mapping[str, str]
    """SVG elements by caption."""


@dataclass(frozen=True)
class AnalysisSection:
    """The statistics of the textbooks: tables (header first) and SVG elements, by caption."""

    tables: dict[str, list[list[str]]]
    figures: dict[str, str]


def write_page(
    sections: Sequence[TaskSection],
    sweep: SweepSection,
    corpus: Mapping[str, int],
    analysis: AnalysisSection | None,
    scale: Scale | None,
    path: Path,
) -> None:
    """Write the page atomically.

    Args:
        corpus: numbers of sentences by name, as `write_corpus` counts them; empty if there is no corpus.
    """
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = environment.get_template("page.html").render(
        sections=sections,
        sweep=sweep,
        corpus=corpus,
        analysis=analysis,
        scale=scale,
        details=TABLE2,
        head=HEAD,
        note=NOTE,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
