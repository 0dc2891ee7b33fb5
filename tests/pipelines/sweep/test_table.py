"""The tables of a sweep."""

from pathlib import Path

from mlflow import MlflowClient

from pipelines.sweep.grid import Cell
from pipelines.sweep.table import SNAPSHOT_TABLE, SWEEP_TABLE, write_tables
from textbook.files import read_rows, write_csv
from textbook.params_file import load_params
from tracking.sweeps import SweepRun

ROOT = Path(__file__).parents[3]
CELL = Cell("rotten_tomatoes", "random", "task", "general", 0)


def test_without_snapshots_the_table_of_an_earlier_sweep_is_removed(tmp_path, monkeypatch):
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    write_csv(SNAPSHOT_TABLE, [{"step": 10, "score": 80.0}])
    write_tables({CELL.task: params}, {CELL: Path("cell")}, MlflowClient("sqlite:///x.db"), SweepRun("1", "run"))
    assert not SNAPSHOT_TABLE.exists()
    assert [(row["task"], row["state"]) for row in read_rows(SWEEP_TABLE)] == [(CELL.task, "failed")]
