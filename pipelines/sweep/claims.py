"""The verdicts of a sweep on the paper's claims, as a table and as the description of its MLflow run."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.paths import REPORTS
from textbook.files import read_rows, remove, write_csv
from textbook.reporting.cells import read_comparisons, whole
from textbook.reporting.findings import HEAD, Finding, findings

CLAIMS_TABLE = REPORTS / "claims.csv"


def write_claims(sweep_table: Path, comparisons: Path) -> str:
    """Write `reports/claims.csv`, with a row for each claim and task; none if no two cells test a claim.

    Args:
        sweep_table, comparisons: the tables of the sweep; the second one may not exist.

    Returns:
        The verdicts as Markdown.
    """
    found = findings(whole(read_rows(sweep_table)), read_comparisons(comparisons))
    rows = [
        {"claim": finding.claim, **dict(zip(HEAD, line, strict=True))} for finding in found for line in finding.lines
    ]
    if rows:
        write_csv(CLAIMS_TABLE, rows)
    else:
        remove(CLAIMS_TABLE)
    return _as_markdown(found)


def _as_markdown(found: Sequence[Finding]) -> str:
    return "\n".join(f"- **{finding.claim}** {finding.verdict}" for finding in found)
