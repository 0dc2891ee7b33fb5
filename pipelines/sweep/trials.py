"""Running cells in parallel with Ray Tune, on this machine or on a cluster. Each trial runs one cohort of cells."""

import os
import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.messages import user_message
from pipelines.paths import CACHE
from pipelines.sweep.memory import most_in_memory
from pipelines.sweep.plan import first_folder
from pipelines.sweep.progress import Progress
from pipelines.sweep.record import start_cell_record
from textbook.cells.cell import Cell, group_cells
from textbook.errors import UserError
from textbook.params import Params, Sweep
from textbook.ray_start import ray_resources, start_ray
from tracking.address import worker_environment
from tracking.live import live
from tracking.sweeps import SweepRun

NEVER = 10**9  # a step that no cell reaches
_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a cell's last report has no loss
}


def run_trials(
    settings: Sweep,
    task_params: Mapping[str, Params],
    todo: Mapping[Cell, Path],
    sweep: SweepRun,
    ready: Callable[[], str],
) -> None:
    """Run cells in parallel, and show them in a table here and on the MLflow server.

    Args:
        task_params: the parameters of each task's cells.
        todo: the cells to run, with their folders.
        ready: waits until the MLflow server answers, and returns its URI. Ray starts meanwhile.

    Raises:
        UserError: a cell needs more CPUs or GPUs than Ray has, or the MLflow server doesn't start.
    """
    os.environ.update(_SETTINGS)
    start_ray()
    from ray import tune

    from pipelines.sweep.watch import Watch

    slots = _slots(settings)
    cohorts = group_cells(list(todo), most_together(settings, task_params, list(todo), slots))
    cohorts.sort(key=len, reverse=True)  # the largest first: one that starts last would run on alone
    numbers = {todo[cell].name: number for number, cells in enumerate(cohorts, 1) for cell in cells}
    names = {folder.name: str(cell) for cell, folder in todo.items()}
    server = worker_environment(ready())
    with Progress(names, slots, numbers) as progress:
        firsts = {cell: first for cell in todo if (first := first_folder(task_params[cell.task], cell))}
        trial = partial(
            _trial, task_params=task_params, firsts=firsts, project=str(Path.cwd()), sweep=sweep, server=server
        )
        tuner = tune.Tuner(
            tune.with_resources(trial, {"cpu": settings.cpus, "gpu": settings.gpus}),
            param_space={
                "cells": tune.grid_search([[(asdict(cell), str(todo[cell])) for cell in cells] for cells in cohorts])
            },
            tune_config=tune.TuneConfig(scheduler=_scheduler(settings), reuse_actors=True),
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=str((CACHE / "tune").absolute()),
                failure_config=tune.FailureConfig(max_failures=settings.retries),
                callbacks=[Watch(progress, settings.asha)],
                verbose=0,
            ),
        )
        tuner.fit()
    shutil.rmtree(CACHE / "tune", ignore_errors=True)


def _slots(settings: Sweep) -> int:
    """The number of cohorts that run in parallel."""
    available = ray_resources()
    per_cell = {"CPU": settings.cpus, "GPU": settings.gpus}
    for name, count in per_cell.items():
        if count > available.get(name, 0):
            raise UserError(
                f"sweep.{name.lower()}s = {count:g}: must be at most {available.get(name, 0):g}, which Ray has"
            )
    return int(min(available[name] // count for name, count in per_cell.items() if count))


def most_together(settings: Sweep, task_params: Mapping[str, Params], cells: Sequence[Cell], slots: int) -> int:
    """The most cells of a cohort: no slot shall be idle, and the memory must suffice."""
    if settings.asha:
        return 1  # it stops single cells
    memory = min(most_in_memory(cell.params(task_params[cell.task]), slots) for cell in cells)
    return max(1, min(settings.cohort, -(-len(cells) // slots), memory))


def _scheduler(settings: Sweep) -> Any:
    """The scheduler that stops bad cells early, or None if `sweep.asha` is not set."""
    from ray.tune.schedulers import ASHAScheduler

    if not settings.asha:
        return None
    return ASHAScheduler(
        time_attr="step",
        metric="loss",
        mode="min",
        max_t=NEVER,  # at `max_t` the scheduler ends a trial, but a cell is adapted only after its last step
        grace_period=settings.asha.grace_steps,
        reduction_factor=settings.asha.reduction,
    )


def _trial(
    config: Mapping[str, Any],
    *,
    task_params: Mapping[str, Params],
    firsts: Mapping[Cell, Path],
    project: str,
    sweep: SweepRun,
    server: Mapping[str, str],
) -> None:
    """Run one cohort in a worker, and report its progress.

    A report names its cell by its folder. An exception is reported, not raised. Tune repeats a trial that raises, as it
    repeats one whose worker was lost, but the cell would fail again.

    Args:
        firsts: see `run_cells`.
        server: the variables that name the MLflow server.
    """
    import torch
    from ray import tune

    from pipelines.sweep.cohort import run_cells  # imported by the workers only: it takes seconds
    from pipelines.sweep.verify import check_inputs
    from textbook.cells.cohort import Hooks

    os.chdir(project)
    os.environ |= server
    folders = {Cell(**cell): Path(folder) for cell, folder in config["cells"]}
    params = task_params[next(iter(folders)).task]
    torch.set_num_threads(max(1, int(params.sweep.cpus)))

    def show(cell: Cell, history: Path) -> AbstractContextManager[None]:
        return live(sweep.experiment, start_cell_record(params, cell, folders[cell].name, history), sweep.run_id)

    def report(cell: Cell, **figures: Any) -> None:
        tune.report({"key": folders[cell].name, **figures})

    def log(cell: Cell, step: int, figures: Mapping[str, float]) -> None:
        report(cell, step=step, loss=figures["loss"])

    def fail(cell: Cell, error: Exception) -> None:
        report(cell, failure=user_message(error) or "".join(traceback.format_exception(error)))

    waiting = set(folders)
    try:
        for cell, outcome in run_cells(params, folders, Hooks(partial(check_inputs, params), log, show), firsts):
            waiting.remove(cell)
            if isinstance(outcome, Exception):
                fail(cell, outcome)
            else:
                report(cell, result=outcome)
    except Exception as error:
        for cell in waiting:
            fail(cell, error)
