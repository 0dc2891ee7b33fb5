"""The tables of a sweep."""

from pathlib import Path

import numpy as np
from mlflow import MlflowClient

from pipelines.sweep.comparisons import compare_places
from pipelines.sweep.table import COMPARISONS, SNAPSHOT_TABLE, SWEEP_TABLE, write_tables
from textbook.cells.cell import Cell
from textbook.evaluation.predictions import write_predictions
from textbook.files import read_rows, write_csv
from textbook.params_file import load_params
from tracking.sweeps import SweepRun

ROOT = Path(__file__).parents[3]
CELL = Cell("rotten_tomatoes", "random", "task", "general", 0)


def test_without_snapshots_the_table_of_an_earlier_sweep_is_removed(tmp_path, monkeypatch):
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    for path in (SNAPSHOT_TABLE, COMPARISONS):
        write_csv(path, [{"step": 10, "score": 80.0}])
    write_tables({CELL.task: params}, {CELL: Path("cell")}, MlflowClient("sqlite:///x.db"), SweepRun("1", "run"))
    assert not SNAPSHOT_TABLE.exists()
    assert not COMPARISONS.exists()
    assert [(row["task"], row["state"]) for row in read_rows(SWEEP_TABLE)] == [(CELL.task, "failed")]


def test_places_are_compared_by_the_rows_with_all_seeds_together(tmp_path):
    params = load_params(ROOT / "params.yaml")
    labels = np.arange(400) % 2
    folders = {}
    for textbook, top_percent, wrong in (
        ("general", 100, (40, 60)),
        ("contextualized", 100, (20, 20)),
        ("general", 20, (60, 80)),
    ):
        for seed, count in enumerate(wrong):
            cell = Cell("rotten_tomatoes", "random", "task", textbook, seed, top_percent)
            answers = np.where(np.arange(400) < count, 1 - labels, labels)
            folders[cell] = tmp_path / cell.slug
            (folders[cell] / "student").mkdir(parents=True)
            path = folders[cell] / "student" / "predictions.parquet"
            write_predictions(path, labels, {7: np.eye(2, dtype=np.float32)[answers]})
    rows = compare_places({"rotten_tomatoes": params}, folders)
    whole, part = "random/task/general", "random/task/general/20%"
    context = "random/task/contextualized"
    assert [(row["first"], row["second"]) for row in rows] == [(whole, context), (whole, part), (context, part)]
    assert [row["difference"] for row in rows] == [-7.5, 5.0, 12.5]
    for row in rows:
        assert row["metric"] == "accuracy"
        assert row["low"] < row["difference"] < row["high"]
        assert 0 <= row["p"] <= 1
        assert row["freedom"] >= 1
