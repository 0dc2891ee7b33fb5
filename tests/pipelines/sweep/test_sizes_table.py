"""The table of the parts of textbooks."""

import pytest

from pipelines.sweep.sizes import SIZES_TABLE, write_sizes
from textbook.files import read_rows, write_csv


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """The tables of a sweep of a textbook and its most relevant fifth, which is clearly too small."""
    monkeypatch.chdir(tmp_path)
    place = {"task": "films", "init": "random", "teacher": "task", "textbook": "general", "seed": "0", "student": ""}
    scores = {"metric": "accuracy", "std": 0.1, "standard_error": 1.0, "seeds": 2, "steps": 100, "batch": 64}
    losses = {"textbook_relation_loss": 0.5, "validation_relation_loss": 0.6, "state": "done"}
    rows = [
        {**place, "top_percent": percent, "mean": mean, **scores, "texts": 20 * percent, **losses}
        for percent, mean in ((100, 80.0), (20, 70.0))
    ]
    write_csv(tmp_path / "sweep.csv", rows)
    pair = {"first": "random/task/general", "second": "random/task/general/20%"}
    figures = {"difference": 10.0, "error": 1.0, "low": 8.0, "high": 12.0, "freedom": "inf", "p": 1e-9}
    write_csv(tmp_path / "comparisons.csv", [{"task": "films", "metric": "accuracy", **pair, **figures}])
    return tmp_path / "sweep.csv", tmp_path / "comparisons.csv"


def test_each_part_has_a_row(tables):
    write_sizes(*tables)
    fifth, whole = read_rows(SIZES_TABLE)
    assert (fifth["top_percent"], fifth["texts"], fifth["times_read"]) == ("20.0", "400", "16.0")
    assert (fifth["difference"], fifth["verdict"]) == ("-10.0", "worse by 10.0 ± 2.0: too small")
    assert (whole["difference"], whole["verdict"]) == ("", "the largest")


def test_without_comparisons_errors_count_as_independent(tables):
    tables[1].unlink()
    write_sizes(*tables)
    assert read_rows(SIZES_TABLE)[0]["verdict"] == "worse by 10.0 ± 2.8: too small"


def test_a_sweep_of_whole_textbooks_leaves_no_table_of_an_earlier_one(tables):
    write_sizes(*tables)
    write_csv(tables[0], read_rows(tables[0])[:1])
    write_sizes(*tables)
    assert not SIZES_TABLE.exists()
