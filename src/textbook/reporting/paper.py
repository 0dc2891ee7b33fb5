"""The figures of the paper (Liu et al., EMNLP 2022: Tables 1 to 3 and Figure 3), for comparison with ours.

The files in `paper/` use the names of `params.yaml` for tasks and corpora: TaskDA is `augmented`, CC is
`contextualized`, CC-top-p % has p as its `top_percent`, and WikiBook is `general`. Sizes are of plain text.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KEYS = {
    "table1": ("task", "corpus"),
    "table2": ("task", "init", "teacher", "textbook"),
    "table3": ("task", "matched_to", "corpus"),
    "figure3": ("task", "corpus", "top_percent", "against"),
}


def paper_rows(table: str) -> list[dict[str, str]]:
    """The rows of one of the paper's tables.

    Args:
        table: one of `KEYS`.
    """
    with (Path(__file__).parent / "paper" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def beside_paper(table: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the paper's figures to each row, in columns `paper_…`, which are empty if the paper has no such row.

    Args:
        table: one of `KEYS`.
    """
    keys, all_paper_rows = KEYS[table], paper_rows(table)
    figures = [name for name in all_paper_rows[0] if name not in keys]
    by_key = {tuple(row[key] for key in keys): row for row in all_paper_rows}
    matches = [by_key.get(tuple("" if row[key] is None else str(row[key]) for key in keys), {}) for row in rows]
    return [
        {**row, **{f"paper_{name}": match.get(name, "") for name in figures}}
        for row, match in zip(rows, matches, strict=True)
    ]
