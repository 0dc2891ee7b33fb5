"""The tables of a sweep in `reports`: `sweep.csv` has a row for each cell, `figure2.csv` for each snapshot.

`comparisons.csv` has a row for each pair of places in the grid.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from math import ceil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from mlflow import MlflowClient

from pipelines.paths import REPORTS, textbook_files
from pipelines.sweep.comparisons import compare_places
from pipelines.sweep.costs import Cost, student_costs
from pipelines.sweep.plan import is_done, state_of
from pipelines.sweep.progress import DONE
from pipelines.sweep.record import cell_record
from textbook.cells.cell import DISTILLED, RESULT, SNAPSHOTS, Cell
from textbook.files import read_json, remove, write_csv
from textbook.params import Params
from textbook.reporting.cells import TEXTBOOK_LOSS, TEXTS
from textbook.training.engine.log import read_history
from tracking.runs import record_cell
from tracking.sweeps import SweepRun

_PLACE = [field.name for field in fields(Cell)]
SWEEP_TABLE, SNAPSHOT_TABLE, COMPARISONS = (REPORTS / f"{name}.csv" for name in ("sweep", "figure2", "comparisons"))


def write_tables(
    task_params: Mapping[str, Params], folders: Mapping[Cell, Path], client: MlflowClient, sweep: SweepRun
) -> None:
    """Write the tables, and record every finished cell in MLflow. A table without rows is not written.

    Args:
        task_params: the parameters of each task's cells.
        folders: the cells of the table with their folders, in the order of the rows.
    """
    finished = {cell: folder for cell, folder in folders.items() if is_done(folder)}
    costs = student_costs(task_params, finished)
    rows = [
        _row(task_params[cell.task], cell, folder, costs.get(cell, {}), client, sweep)
        for cell, folder in folders.items()
    ]
    columns = dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row)
    snapshots = [line for row, folder in zip(rows, folders.values(), strict=True) for line in _snapshots(row, folder)]
    for path, lines in ((SNAPSHOT_TABLE, snapshots), (COMPARISONS, compare_places(task_params, finished))):
        if lines:
            write_csv(path, lines)
        else:
            remove(path)  # of an earlier sweep
    write_csv(SWEEP_TABLE, [{name: row.get(name) for name in columns} for row in rows])


def _row(params: Params, cell: Cell, folder: Path, cost: Cost, client: MlflowClient, sweep: SweepRun) -> dict[str, Any]:
    """The row of a cell."""
    state = state_of(folder, params.sweep.asha)
    if state != DONE:
        return {**asdict(cell), "state": state}
    run_id = record_cell(client, sweep.experiment, cell_record(params, cell, folder, cost), parent=sweep.run_id)
    figures = {name: value for name, value in read_json(folder / RESULT).items() if name != "scores"}
    origin = {"state": state, "run_id": run_id, "experiment_id": sweep.experiment}
    return {**figures, **cost, **_reading(cell, folder, figures["steps"]), **origin}


def _reading(cell: Cell, folder: Path, steps: int) -> dict[str, Any]:
    """The number of texts in the part of the textbook that a cell used, and the last loss on it.

    Of two textbooks the first one is meant, on which the student is distilled for `steps` steps.
    """
    book = textbook_files(cell.task, cell.textbook)[0]
    texts = ceil(pq.read_metadata(book).num_rows * cell.top_percent / 100) if book.is_file() else None
    history = read_history(folder / DISTILLED / "history.jsonl")
    losses = [line["loss"] for line in history if line["step"] <= steps]
    return {TEXTS: texts, TEXTBOOK_LOSS: round(losses[-1], 4)}


def _snapshots(row: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """The rows of a cell's snapshots."""
    if row["state"] != DONE or not (folder / SNAPSHOTS).is_file():
        return []
    place = {name: row[name] for name in (*_PLACE, "steps", "metric", "seeds", "run_id")}
    lines = read_history(folder / SNAPSHOTS)
    return [{**place, **{name: value for name, value in line.items() if name != "time"}} for line in lines]
