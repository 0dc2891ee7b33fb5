"""The paper's figures next to ours."""

from typing import Any

import pytest

from textbook.reporting.paper import beside_paper


@pytest.mark.parametrize(
    ("table", "row", "expected"),
    [
        (
            "table1",
            {"task": "sst2", "corpus": "contextualized", "cases": 5},
            {"paper_cases": "3821674", "paper_k": "150", "paper_file_size": "1.5G"},
        ),
        (
            "table3",
            {"task": "cola", "matched_to": "augmented", "corpus": "general"},
            {"paper_distinct_1": "5.3", "paper_distinct_2": "45.4"},
        ),
        (
            "figure3",
            {"task": "rte", "corpus": "contextualized", "top_percent": 20, "against": "task"},
            {"paper_overlap": "61.0"},
        ),
        (
            "figure3",
            {"task": "cola", "corpus": "general", "top_percent": None, "against": "task"},
            {"paper_overlap": "23.5"},
        ),
        (
            "figure3",
            {"task": "cola", "corpus": "general", "top_percent": None, "against": "augmented"},
            {"paper_overlap": ""},
        ),
        ("figure3", {"task": "mine", "corpus": "task", "top_percent": None, "against": "task"}, {"paper_overlap": ""}),
    ],
)
def test_a_row_gets_the_papers_figures_or_empty_fields(
    table: str, row: dict[str, Any], expected: dict[str, str]
) -> None:
    assert beside_paper(table, [row]) == [row | expected]


@pytest.mark.parametrize("task", ["mnli", "sst2", "cola", "rte"])
def test_the_papers_overlaps_fall_from_the_task_to_the_general_corpus(task: str) -> None:
    parts = [("task", None), ("augmented", None), *(("contextualized", p) for p in (20, 40, 60, 80, 100))]
    rows = [{"task": task, "corpus": c, "top_percent": p, "against": "task"} for c, p in [*parts, ("general", None)]]
    overlaps = [float(row["paper_overlap"]) for row in beside_paper("figure3", rows)]
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[0] == 100
