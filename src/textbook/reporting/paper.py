"""The figures of the paper (Liu et al., EMNLP 2022: Tables 1 to 3 and Figure 3), to stand beside ours.

The files in `paper/` have its tasks and corpora by the names that they have in `params.yaml`: TaskDA is `augmented`, CC
`contextualized`, CC-top-p % has p as its `top_percent`, and WikiBook is `general`. Sizes are those of plain text.
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
    """The rows of a table (one of `KEYS`) as they are in the paper."""
    with (Path(__file__).parent / "paper" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def beside_paper(table: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a table (one of `KEYS`), each with the paper's figures in columns `paper_…`, empty if it has none."""
    keys, papers = KEYS[table], paper_rows(table)
    figures = [name for name in papers[0] if name not in keys]
    known = {tuple(row[key] for key in keys): row for row in papers}
    found = [known.get(tuple("" if row[key] is None else str(row[key]) for key in keys), {}) for row in rows]
    return [
        {**row, **{f"paper_{name}": paper.get(name, "") for name in figures}}
        for row, paper in zip(rows, found, strict=True)
    ]
