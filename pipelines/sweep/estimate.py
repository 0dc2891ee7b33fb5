"""`make plan SWEEP='…'`: what a sweep, or a part of it, will run, and what it takes."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer

from pipelines.cli import run
from pipelines.planning.due import read_stages
from pipelines.planning.plan import Entry, RunPlan, free_disk, project_of, stage_parts
from pipelines.planning.show import show_plan
from pipelines.sweep.grid import choose_cells
from pipelines.sweep.plan import cell_folder, input_stages, is_done, may_go_on, params_by_task
from textbook.cells.cell import Cell, group_cells
from textbook.params import Params, Sweep
from textbook.plan.cells import cell_cost
from textbook.plan.cost import Project
from textbook.plan.rates import Rates


def main(params: Params, words: Annotated[list[str] | None, typer.Argument(metavar="AXIS=VALUE,…")] = None) -> None:
    """Print what `make sweep` would run now, for the grid or for the part chosen by AXIS=VALUE,…, and what it takes."""
    cells = choose_cells(params, words or [])
    show_plan(plan_sweep(params, params_by_task(params), cells))


def plan_sweep(params: Params, task_params: Mapping[str, Params], cells: Sequence[Cell]) -> RunPlan:
    """The plan of a sweep: the stages that make the inputs of its cells, and the cells that are not done.

    Args:
        task_params: the parameters of each task's cells.
    """
    stages = read_stages(sorted(input_stages(cells)))
    due = {stage.name for stage in stages if stage.runs}
    todo = [cell for cell in cells if due & input_stages([cell]) or not _is_done(task_params[cell.task], cell)]
    project = project_of(params, stages)
    parts = [*stage_parts(project, stages), *_cell_parts(project, task_params, todo)]
    return RunPlan(parts, project.rates, free_disk())


def _is_done(params: Params, cell: Cell) -> bool:
    with suppress(KeyError):  # an input does not exist yet
        return is_done(cell_folder(params, cell))
    return False


def _cell_parts(project: Project, task_params: Mapping[str, Params], cells: Sequence[Cell]) -> list[Entry]:
    """The cells with their shares of the sweep's time, and the memory of all that run beside each other."""
    settings = project.params.sweep
    rates = project.rates if settings.gpus else project.on_cpu  # Ray hides the GPUs from cells that ask for none
    slots = _slots(settings, rates)
    most = 1 if settings.asha else max(1, min(settings.cohort, -(-len(cells) // slots)))
    cohorts = group_cells(cells, most)
    beside = max(1, min(slots, len(cohorts)))
    if rates.gpus:
        busy = max(1.0, min(rates.gpus, beside * settings.gpus))  # GPUs
    else:
        busy = min(1.0, beside * settings.cpus / rates.cores)  # share of the cores
    parts = []
    for cohort in cohorts:
        begun = {cell: _goes_on(task_params[cell.task], cell, cohort) for cell in cohort}
        for cell in cohort:
            own = Project(cell.params(task_params[cell.task]), project.facts, rates)
            sharing = list(begun.values()).count(begun[cell])
            cost = cell_cost(own, cell.task, sharing, begun=begun[cell])
            if cost:
                memory, gpu_memory = cost.memory * sharing * beside, cost.gpu_memory * sharing
                cost = replace(cost, seconds=cost.seconds / busy, memory=memory, gpu_memory=gpu_memory)
            parts.append(Entry(str(cell), cost))
    return parts


def _goes_on(params: Params, cell: Cell, cohort: Sequence[Cell]) -> bool:
    """Whether a cell goes on from the student of another one of its cohort, or of one that is done."""
    return may_go_on(params, cell) and (cell.first in cohort or _is_done(params, cell.first))


def _slots(settings: Sweep, rates: Rates) -> int:
    """The number of cohorts that run in parallel on this machine."""
    by_cores = math.floor(rates.cores / settings.cpus)
    by_gpus = math.floor(rates.gpus / settings.gpus) if settings.gpus else by_cores
    return max(1, min(by_cores, by_gpus))


if __name__ == "__main__":
    run(main)
