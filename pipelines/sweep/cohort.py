"""The cells of a sweep, with their settings and the project's files that they read."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.distillation import books_of, teacher_of
from pipelines.paths import INIT, TASKS, teacher_folder
from textbook.cells.cell import Cell
from textbook.cells.cohort import Hooks, Outcome, run_cohort
from textbook.cells.job import CellInputs, CellJob
from textbook.params import Params


def run_cells(
    params: Params, folders: Mapping[Cell, Path], hooks: Hooks, firsts: Mapping[Cell, Path] | None = None
) -> Iterator[tuple[Cell, Outcome]]:
    """Make cells with the same task, teacher and first textbook; see `run_cohort`.

    Args:
        params: those of the task's cells.
        folders: the folder of each cell.
        firsts: the folder that each cell may go on from; see `CellJob.first`.
    """
    firsts = firsts or {}
    return run_cohort([cell_job(params, cell, folder, firsts.get(cell)) for cell, folder in folders.items()], hooks)


def cell_job(params: Params, cell: Cell, folder: Path, first: Path | None = None) -> CellJob:
    """What is done for a cell.

    Args:
        params: those of the task's cells.
        first: see `CellJob.first`.
    """
    own = cell.params(params)
    inputs = CellInputs(
        TASKS / cell.task,
        teacher_folder(cell.task),
        teacher_of(own, cell.task),
        None if cell.student else INIT / cell.init,  # a student with a shape of its own is random
        books_of(own, cell.task),
    )
    return CellJob(cell, folder, own.task(cell.task), own.student, own.distill, own.adapt, inputs, first)
