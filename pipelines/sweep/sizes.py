"""The parts of the textbooks of a sweep, compared with the largest ones, as a table."""

from pathlib import Path

from pipelines.paths import REPORTS
from textbook.files import read_rows, remove, write_csv
from textbook.reporting.cells import read_comparisons
from textbook.reporting.sizes import size_rows

SIZES_TABLE = REPORTS / "sizes.csv"


def write_sizes(sweep_table: Path, comparisons: Path) -> None:
    """Write `reports/sizes.csv`, with a row for each part of a textbook; none if no textbook has several.

    Args:
        sweep_table, comparisons: the tables of the sweep; the second one may not exist.
    """
    rows = size_rows(read_rows(sweep_table), read_comparisons(comparisons))
    if rows:
        write_csv(SIZES_TABLE, rows)
    else:
        remove(SIZES_TABLE)
