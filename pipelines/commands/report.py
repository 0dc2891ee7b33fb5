"""`make report`: all results as one HTML page."""

from collections.abc import Mapping
from pathlib import Path

from pipelines.cli import run
from pipelines.paths import CORPUS, EVALUATION, REPORTS
from pipelines.sections.task import task_section
from textbook.corpus.shards import SUMMARY
from textbook.errors import UserError
from textbook.files import read_csv, read_json, read_rows, write_csv
from textbook.params import Params
from textbook.reporting.cells import TABLE2, read_comparisons, whole
from textbook.reporting.findings import findings
from textbook.reporting.grid import grids
from textbook.reporting.nearness import nearness
from textbook.reporting.page import AnalysisSection, SweepSection, write_page
from textbook.reporting.scale import measured_scale
from textbook.reporting.shapes import shape_models, shape_tables
from textbook.reporting.size_charts import size_charts
from textbook.reporting.snapshots import snapshot_curves
from tracking.store import run_url

MEASURED = Path("benchmarks/results")


def main(params: Params) -> None:
    """Write `reports/report.html` from the existing outputs of the stages, the sweep and the analysis.

    The cells of the grid are also written to `reports/table2.csv`.

    Raises:
        UserError: there are no outputs yet.
    """
    evaluated = {task: path for task in params.tasks if (path := EVALUATION / f"{task}.json").is_file()}
    cells = _read("sweep.csv")
    sections = [
        task_section(params, task, read_json(path), shape_models(cells, task)) for task, path in evaluated.items()
    ]
    rows = whole(cells)
    if not (rows or sections):
        raise UserError("report: there is nothing to report yet; run `dvc repro` or `make sweep` first")
    if rows:
        write_csv(REPORTS / "table2.csv", [{name: row.get(name) for name in TABLE2} for row in rows])
    paired = read_comparisons(REPORTS / "comparisons.csv")
    rows = [{**row, "run_url": _run_url(row)} for row in rows]
    sweep = SweepSection(
        grids(rows, paired),
        shape_tables(cells),
        nearness(rows),
        findings(rows, paired),
        size_charts(_read("sizes.csv")),
        snapshot_curves(_read("figure2.csv")),
    )
    estimate = measured_scale(MEASURED, params.tracking.cost_per_hour)
    write_page(sections, sweep, _corpus(), _analysis(), estimate, REPORTS / "report.html")


def _read(name: str) -> list[dict[str, str]]:
    """The rows of a table of the last sweep; empty if there is no such table."""
    return read_rows(REPORTS / name) if (REPORTS / name).is_file() else []


def _run_url(row: Mapping[str, str]) -> str:
    """The address of a cell's run in a browser; empty if it has no run."""
    return run_url(row["experiment_id"], row["run_id"]) if row.get("experiment_id") else ""


def _corpus() -> dict[str, int]:
    """The numbers of sentences of the corpus; empty if there is none."""
    summary = read_json(CORPUS / SUMMARY) if (CORPUS / SUMMARY).is_file() else {}
    return {name: count for name, count in summary.items() if name != "sha256"}


def _analysis() -> AnalysisSection | None:
    if not (REPORTS / "figure3.svg").is_file():
        return None
    figure = (REPORTS / "figure3.svg").read_text(encoding="utf-8")
    return AnalysisSection(
        figures={"Relevance (the paper's Figure 3): share of the 5,000 most frequent words in common": figure},
        tables={
            "Size (Table 1); text bytes are of plain text, one sentence per line": _table("table1"),
            "Diversity (Table 3): distinct words and pairs of words in percent of all, in random samples that have as "
            "many words as the smallest corpus. Of pairs of texts, also the overlap: quantiles of the share of words "
            "that both have, and their mean distance from those of the task": _table("table3"),
        },
    )


def _table(name: str) -> list[list[str]]:
    """A table of the analysis without empty columns. The paper's columns are empty if it has none of the tasks."""
    columns = [column for column in zip(*read_csv(REPORTS / f"{name}.csv"), strict=True) if any(column[1:])]
    return [list(row) for row in zip(*columns, strict=True)]


if __name__ == "__main__":
    run(main)
