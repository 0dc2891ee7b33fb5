"""`make sweep`: train every student of the grid, on this machine or on a cluster, and compare them.

DVC updates the shared inputs of the cells. Ray Tune runs the cells that are not done yet. MLflow gets one run per cell.
A killed sweep resumes when it is started again.
"""

from collections import Counter
from contextlib import ExitStack
from typing import Annotated

import typer

from pipelines.cli import run
from pipelines.planning.show import announce
from pipelines.sweep.ending import close_sweep, other_cells
from pipelines.sweep.estimate import plan_sweep
from pipelines.sweep.grid import choose_cells
from pipelines.sweep.plan import cell_folder, make_artefacts, params_by_task, state_of
from pipelines.sweep.progress import DONE, FAILED, STOPPED
from textbook.errors import UserError
from textbook.files import digest
from textbook.params import Params
from tracking.server import serving
from tracking.store import connect
from tracking.sweeps import start_sweep


def main(params: Params, words: Annotated[list[str] | None, typer.Argument(metavar="AXIS=VALUE,…")] = None) -> None:
    """Run the cells of the grid, or the part chosen by AXIS=VALUE,…, and write `reports/sweep.csv` with a row for each.

    The table also has the cells of the rest of the grid that are done, so it can be filled part by part.
    """
    words = words or []
    cells = choose_cells(params, words)
    task_params = params_by_task(params)
    client = connect()  # fails immediately if the server cannot be reached
    some_run = announce(lambda: plan_sweep(params, task_params, cells))
    with ExitStack() as stack:
        ready = stack.enter_context(serving()) if some_run else None  # early: DVC leaves a core idle
        make_artefacts(params, cells)
        folders = {cell: cell_folder(task_params[cell.task], cell) for cell in cells}
        others = other_cells(params, task_params, cells)
        title = f"sweep of {len(cells)} cells: {' '.join(words) or 'the whole grid'}"
        key = digest(*(folder.name for folder in folders.values()))
        sweep = start_sweep(client, params.tracking.experiment, title, key, {})
        states = {cell: state_of(folder, params.sweep.asha) for cell, folder in folders.items()}
        todo = {cell: folder for cell, folder in folders.items() if states[cell] == FAILED}
        counts = Counter(states.values())
        stopped = f", {counts[STOPPED]} stopped early by the same sweep.asha" if counts[STOPPED] else ""
        print(f"{len(cells)} cells, {counts[DONE]} already done{stopped}", flush=True)
        if todo:
            from pipelines.sweep.trials import run_trials  # with Ray, which tables don't need

            run_trials(params.sweep, task_params, todo, sweep, ready or stack.enter_context(serving()))
    if failed := close_sweep(params, task_params, folders, others, client, sweep):
        raise UserError(f"{failed} cells failed; run `make sweep` again to retry them")


if __name__ == "__main__":
    run(main)
