"""Cells whose students are distilled together, and then adapted and measured one by one."""

import gc
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from textbook.cells.cell import DISTILLED, RESULT, Cell
from textbook.cells.finish import finish_cell
from textbook.cells.folder import CLOCK, Clock, discarded_unless, locked, remove_stale
from textbook.cells.job import CellJob
from textbook.cells.losses import write_losses
from textbook.errors import UserError
from textbook.files import copy_folder, read_json, remove, write_json
from textbook.models.encoder import load_config, load_encoder
from textbook.models.student import make_student
from textbook.training.distillation.lessons import Order, distil_students
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


def run_cohort(jobs: Sequence[CellJob], hooks: Hooks) -> Iterator[tuple[Cell, Outcome]]:
    """Make cells with the same task, teacher and first textbook, and yield the outcome of each when it is known.

    A killed cohort resumes: finished steps are not repeated, and a distillation continues from its last checkpoints.
    Two processes never work on the same cell: the second one waits until the first is done, and yields its result.

    Raises:
        UserError: the students cannot be distilled, for a reason that all of them share.
    """
    with ExitStack() as locks:
        for folder in sorted(job.folder for job in jobs):  # the same order everywhere, so that none waits forever
            locks.enter_context(locked(folder))
        todo = []
        for job in jobs:
            if (job.folder / RESULT).is_file():
                yield job.cell, dict(read_json(job.folder / RESULT))
            elif error := _error_of(hooks.check, job):
                yield job.cell, error
            else:
                remove_stale(job.folder)
                todo.append(job)
        failed: dict[Cell, Exception] = {}
        own = {job.folder for job in jobs}
        for books in (1, 2):  # cells with two textbooks go on from the students of cells with one
            waiting = [j for j in todo if len(j.inputs.books) == books and not (j.folder / DISTILLED).is_dir()]
            begins = {job.folder: 2 if _has_first(job, own) else 1 for job in waiting}
            for begin in (2, 1):
                if together := [job for job in waiting if begins[job.folder] == begin]:
                    failed |= _distil(together, hooks, begin=begin)
        distilled = [job for job in todo if job.cell not in failed]
        write_losses(distilled)
        failed |= {job.cell: error for job in distilled if (error := _check_after_step(job, hooks))}
        for job in todo:
            yield job.cell, failed[job.cell] if job.cell in failed else _finished(job, hooks)


def _error_of(check: Callable[[Cell, Path], None], job: CellJob) -> UserError | None:
    try:
        check(job.cell, job.folder)
    except UserError as error:
        return error
    return None


def _finished(job: CellJob, hooks: Hooks) -> Outcome:
    """Finish a distilled cell; an error of one cell is not one of its cohort."""
    try:
        return finish_cell(job, partial(hooks.check, job.cell, job.folder))
    except Exception as error:
        return error


def _has_first(job: CellJob, locked_folders: Set[Path]) -> bool:
    """Whether there is the student that a cell goes on from, in a folder that no other process is working on."""
    if not job.first or not (job.first / DISTILLED).is_dir():
        return False
    return job.first in locked_folders or (job.first / RESULT).is_file()


def _distil(jobs: Sequence[CellJob], hooks: Hooks, *, begin: int) -> dict[Cell, Exception]:
    """Distil the students of cells together into their folders, and return the errors of those that failed.

    A cohort that is too large for the memory of the GPU is halved. Each half goes on from its last checkpoints.

    Args:
        begin: the number of the textbook to begin with.
    """
    try:
        failed = _distil_together(jobs, hooks, begin)
    except UserError as error:
        if len(jobs) == 1 or not isinstance(error.__cause__, torch.OutOfMemoryError):
            raise
    else:
        return failed
    gc.collect()  # the models of the cohort; the error, which held them, is gone
    middle = len(jobs) // 2
    print(f"{len(jobs)} students do not fit into the memory of the GPU together; half of them may", flush=True)
    return _distil(jobs[:middle], hooks, begin=begin) | _distil(jobs[middle:], hooks, begin=begin)


def _distil_together(jobs: Sequence[CellJob], hooks: Hooks, begin: int) -> dict[Cell, Exception]:
    if begin > 1:
        for job in jobs:
            _take_over(job)
    orders = [_order(job, hooks, share=1 / len(jobs), begin=begin) for job in jobs]
    inputs = jobs[0].inputs
    failed = distil_students(inputs.teacher, inputs.books, orders, begin=begin)
    errors: dict[Cell, Exception] = {jobs[place].cell: error for place, error in failed.items()}
    for job in jobs:
        if job.cell not in errors:
            remove(job.folder / "work")  # what only the distillation needed
            if error := _check_after_step(job, hooks):
                errors[job.cell] = error
    return errors


def _check_after_step(job: CellJob, hooks: Hooks) -> UserError | None:
    """Why the inputs that a step has read are not those of the cell, whose work is then removed."""
    try:
        with discarded_unless(partial(hooks.check, job.cell, job.folder), job.folder):
            return None
    except UserError as error:
        return error


def _take_over(job: CellJob) -> None:
    """Copy the history, the snapshots and the seconds of the distillation that a cell goes on from.

    Only once: the history of the second textbook is appended to the copy.
    """
    assert job.first
    before, work = job.first / DISTILLED, job.folder / "work"
    if (work / "checkpoints-2").is_dir():
        return
    remove(work)
    work.mkdir()
    if (before / "snapshots").is_dir():
        copy_folder(before / "snapshots", work / "snapshots")
    shutil.copy(before / "history.jsonl", work)
    write_json(job.folder / CLOCK, {"seconds": read_json(before / "run.json")["seconds"]})


def _order(job: CellJob, hooks: Hooks, *, share: float, begin: int) -> Order:
    """The order for the student of a cell. Figures are shown live in its history and in the hooks."""
    clock = Clock(job.folder, share)

    def timed_log(step: int, figures: Mapping[str, float]) -> None:
        clock.tick()
        hooks.log(job.cell, step, figures)

    @contextmanager
    def live(run_file: Path) -> Iterator[Log]:
        write_json(run_file, {"cell": job.folder.name})
        with hooks.show(job.cell, run_file.parent / "history.jsonl"):
            yield timed_log
        write_json(run_file, {"cell": job.folder.name, "seconds": clock.tick()})

    work = job.folder / "work"
    work.mkdir(exist_ok=True)
    return Order(job.distill, _first_weights(job, begin), job.folder / DISTILLED, work, live)


def _first_weights(job: CellJob, begin: int) -> PreTrainedModel:
    """The encoder that a cell's student starts from. One with a shape of its own is random."""
    if begin > 1:
        assert job.first
        return load_encoder(job.first / DISTILLED)
    if job.inputs.init:
        return load_encoder(job.inputs.init)
    return make_student(job.student, load_config(job.inputs.teacher), job.distill.seed)
