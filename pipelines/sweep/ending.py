"""The end of a sweep: its tables, its verdicts, and its run in MLflow."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from mlflow import MlflowClient

from pipelines.paths import CELLS, REPORTS
from pipelines.sweep.claims import CLAIMS_TABLE, write_claims
from pipelines.sweep.grid import all_cells
from pipelines.sweep.plan import done_cells, state_of
from pipelines.sweep.progress import FAILED
from pipelines.sweep.sizes import SIZES_TABLE, write_sizes
from pipelines.sweep.table import COMPARISONS, SWEEP_TABLE, write_tables
from textbook.cells.cell import Cell
from textbook.params import Params
from tracking.sweeps import SweepRun, end_sweep


def other_cells(params: Params, task_params: Mapping[str, Params], cells: Collection[Cell]) -> dict[Cell, Path]:
    """The folders of the cells of the grid, without some, that are done and belong into the tables beside them.

    A line says how many are left out because they are stale.
    """
    others, stale = done_cells(params, task_params, cells)
    if stale:
        print(
            f"{len(stale)} other cells are left out of the tables: their inputs were made with earlier parameters, data"
            " or code; `make sweep` makes them anew",
            flush=True,
        )
    return others


def close_sweep(
    params: Params,
    task_params: Mapping[str, Params],
    made: Mapping[Cell, Path],
    others: Mapping[Cell, Path],
    client: MlflowClient,
    sweep: SweepRun,
) -> int:
    """Write the tables of the sweep's cells and of others that are done, record the cells, and end the sweep's run.

    Args:
        task_params: the parameters of each task's cells.
        made: the folders of the sweep's cells.
        others: the folders of the other cells.

    Returns:
        The number of cells that failed.
    """
    both = {**others, **made}
    folders = {cell: both[cell] for cell in all_cells(params) if cell in both}
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
