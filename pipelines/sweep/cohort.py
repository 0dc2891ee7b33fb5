"""A cohort of a sweep: cells whose students are distilled together, and then adapted and measured one by one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from pipelines.distillation import Order, distil_students, teacher_of
from pipelines.paths import INIT
from pipelines.sweep.cell import DISTILLED, Clock, discarded_unless, finish_cell, locked, remove_stale
from pipelines.sweep.grid import RESULT, Cell
from textbook.errors import UserError
from textbook.files import read_json, remove, write_json
from textbook.models.encoder import load_config, load_encoder
from textbook.models.student import make_student
from textbook.params import Params
from textbook.training.engine.log import Log

Outcome = dict[str, Any] | Exception
"""The content of a cell's `result.json`, or why there is none."""


@dataclass(frozen=True)
class Hooks:
    """What the runner of a cohort does while it runs."""

    check: Callable[[Cell, Path], None]
    """Raises a UserError if the inputs of a cell are not those by which its folder is named. It is called before the
    first step of a cell and after every step; if it fails then, the cell's work is removed."""
    log: Callable[[Cell, int, Mapping[str, float]], None]
    """Gets the figures of a cell's distillation."""
    show: Callable[[Cell, Path], AbstractContextManager[None]]
    """Opens a context in which the figures of a cell's history file are shown elsewhere while they are written."""


def run_cohort(params: Params, folders: Mapping[Cell, Path], hooks: Hooks) -> Iterator[tuple[Cell, Outcome]]:
    """Run cells with the same task, teacher and textbook, and yield the outcome of each when it is known.

    A killed cohort resumes: finished steps are not repeated, and a distillation continues from its last checkpoints.
    Two processes never work on the same cell: the second one waits until the first is done, and yields its result.

    Args:
        params: those of the task's cells.
        folders: the folder of each cell.

    Raises:
        UserError: the students cannot be distilled, for a reason that all of them share.
    """
    with ExitStack() as locks:
        for folder in sorted(folders.values()):  # in the same order everywhere, so that no two processes wait forever
            locks.enter_context(locked(folder))
        todo = {}
        for cell, folder in folders.items():
            if (folder / RESULT).is_file():
                yield cell, dict(read_json(folder / RESULT))
            elif error := _error_of(hooks.check, cell, folder):
                yield cell, error
            else:
                remove_stale(folder)
                todo[cell] = folder
        waiting = {cell: folder for cell, folder in todo.items() if not (folder / DISTILLED).is_dir()}
        failed = _distil(params, waiting, hooks) if waiting else {}
        for cell, folder in todo.items():
            yield cell, failed[cell] if cell in failed else _finished(params, cell, folder, hooks)


def _error_of(check: Callable[[Cell, Path], None], cell: Cell, folder: Path) -> UserError | None:
    try:
        check(cell, folder)
    except UserError as error:
        return error
    return None


def _finished(params: Params, cell: Cell, folder: Path, hooks: Hooks) -> Outcome:
    """Finish a distilled cell; an error of one cell is not one of its cohort."""
    try:
        return finish_cell(params, cell, folder, partial(hooks.check, cell, folder))
    except Exception as error:
        return error


def _distil(params: Params, folders: Mapping[Cell, Path], hooks: Hooks) -> dict[Cell, Exception]:
    """Distil the students of cells together into their folders, and return the errors of those that failed."""
    cells = list(folders)
    orders = [_order(params, cell, folder, hooks, share=1 / len(cells)) for cell, folder in folders.items()]
    teacher = teacher_of(cells[0].params(params), cells[0].task)
    errors: dict[Cell, Exception] = {
        cells[place]: error for place, error in distil_students(teacher, cells[0].task, orders).items()
    }
    for cell in set(cells) - set(errors):
        if error := _end_distillation(cell, folders[cell], hooks):
            errors[cell] = error
    return errors


def _end_distillation(cell: Cell, folder: Path, hooks: Hooks) -> UserError | None:
    """Remove what only the distillation needed, and check the inputs that it read."""
    remove(folder / "work")
    try:
        with discarded_unless(partial(hooks.check, cell, folder), folder):
            return None
    except UserError as error:
        return error


def _order(params: Params, cell: Cell, folder: Path, hooks: Hooks, *, share: float) -> Order:
    """The order for the student of a cell. Figures are shown live in its history and in the hooks."""
    clock = Clock(folder, share)

    def timed_log(step: int, figures: Mapping[str, float]) -> None:
        clock.tick()
        hooks.log(cell, step, figures)

    @contextmanager
    def live(run_file: Path) -> Iterator[Log]:
        write_json(run_file, {"cell": folder.name})
        with hooks.show(cell, run_file.parent / "history.jsonl"):
            yield timed_log
        clock.tick()

    work, own = folder / "work", cell.params(params)
    work.mkdir(exist_ok=True)
    return Order(own.distill, _first_weights(own, cell), folder / DISTILLED, work, live)


def _first_weights(params: Params, cell: Cell) -> PreTrainedModel:
    """The encoder that a cell's student starts from. One with a shape of its own is random."""
    if cell.student:
        return make_student(params.student, load_config(teacher_of(params, cell.task)), params.distill.seed)
    return load_encoder(INIT / cell.init)
