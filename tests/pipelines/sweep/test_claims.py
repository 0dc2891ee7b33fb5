"""The verdicts of a sweep, as a table and as text."""

import pytest

from pipelines.sweep.claims import CLAIMS_TABLE, write_claims
from textbook.files import read_rows, write_csv


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """The tables of a sweep of two textbooks, in which the contextualized one leads clearly."""
    monkeypatch.chdir(tmp_path)
    place = {"task": "films", "init": "random", "teacher": "task", "top_percent": "100.0", "seed": "0", "student": ""}
    scores = {"metric": "accuracy", "std": 0.1, "standard_error": 1.0, "seeds": 2, "teacher_score": 90}
    rows = [
        {**place, "textbook": textbook, **scores, "mean": mean, "state": "done"}
        for textbook, mean in (("general", 70.0), ("contextualized", 80.0))
    ]
    write_csv(tmp_path / "sweep.csv", rows)
    pair = {"first": "random/task/contextualized", "second": "random/task/general"}
    figures = {"difference": 10.0, "error": 1.0, "low": 8.0, "high": 12.0, "freedom": 100.0, "p": 1e-9}
    write_csv(tmp_path / "comparisons.csv", [{"task": "films", "metric": "accuracy", **pair, **figures}])
    return tmp_path / "sweep.csv", tmp_path / "comparisons.csv"


def test_a_claim_has_a_row_for_each_task_and_a_line_of_text(tables):
    text = write_claims(*tables)
    (row,) = read_rows(CLAIMS_TABLE)
    assert row["claim"] == "The contextualized textbook teaches better than the general one."
    assert (row["task"], row["difference"], row["p"]) == ("films, accuracy", "+10.0 [8.0, 12.0]", "<0.001")
    assert row["verdict"] == "supported"
    assert text == f"- **{row['claim']}** Supported in 1 of 1 task, contradicted in 0, undecided in 0."


def test_without_comparisons_errors_count_as_independent(tables):
    tables[1].unlink()
    write_claims(*tables)
    assert read_rows(CLAIMS_TABLE)[0]["difference"] == "+10.0 ± 1.4"


def test_a_sweep_that_tests_no_claim_leaves_no_table_of_an_earlier_one(tables):
    write_claims(*tables)
    write_csv(tables[0], read_rows(tables[0])[:1])
    assert write_claims(*tables) == ""
    assert not CLAIMS_TABLE.exists()


def test_a_sweep_whose_cells_all_failed_has_no_verdicts(tables):
    place = {"task": "films", "init": "random", "teacher": "task", "textbook": "general", "seed": "0"}
    write_csv(tables[0], [{**place, "top_percent": "100.0", "student": "", "state": "failed"}])
    tables[1].unlink()
    assert write_claims(*tables) == ""
