"""The end of a sweep: its tables, its verdicts, and its run in MLflow."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient

from pipelines.paths import CELLS, REPORTS
from pipelines.sweep.claims import CLAIMS_TABLE, write_claims
from pipelines.sweep.plan import state_of, with_done_cells
from pipelines.sweep.progress import FAILED
from pipelines.sweep.sizes import SIZES_TABLE, write_sizes
from pipelines.sweep.table import COMPARISONS, SWEEP_TABLE, write_tables
from textbook.cells.cell import Cell
from textbook.params import Params
from tracking.sweeps import SweepRun, end_sweep


def close_sweep(
    params: Params,
    task_params: Mapping[str, Params],
    folders: Mapping[Cell, Path],
    client: MlflowClient,
    sweep: SweepRun,
) -> int:
    """Write the tables of some cells and of all others that are done, record the cells, and end the sweep's run.

    Args:
        task_params: the parameters of each task's cells.
        folders: the folders of the sweep's cells.

    Returns:
        The number of cells that failed.
    """
    folders = with_done_cells(params, task_params, folders)
    write_tables(task_params, folders, client, sweep)
    counts = Counter(state_of(folder, params.sweep.asha) for folder in folders.values())
    print(f"{SWEEP_TABLE}: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
    verdicts = write_claims(SWEEP_TABLE, COMPARISONS)
    write_sizes(SWEEP_TABLE, COMPARISONS)
    tables = [SWEEP_TABLE, COMPARISONS, CLAIMS_TABLE, SIZES_TABLE]
    end_sweep(client, sweep, tables, verdicts, complete=not counts[FAILED])
    print(f"Cells:   {CELLS.absolute()}\nTables:  {SWEEP_TABLE.parent.absolute()}")
    print(f"Report:  {(REPORTS / 'report.html').absolute()}\nRuns:    make ui", flush=True)
    return counts[FAILED]
