"""Make the cells of a bundle on this machine, cohort after cohort, until they are done or the time is over."""

from __future__ import annotations

import fcntl
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from textbook.bundle.contents import CELLS, RESULTS, Bundle, read_bundle
from textbook.bundle.origin import ORIGIN, device_name, write_origin
from textbook.bundle.time_limit import TimeLimit, TooShort
from textbook.cells.cell import Cell, group_cells
from textbook.cells.cohort import Hooks, run_cohort
from textbook.cells.job import CellJob
from textbook.cells.memory import students_in_memory
from textbook.errors import UserError
from textbook.models.encoder import load_config
from textbook.models.student import student_parameters
from textbook.training.engine.cpu_engine import PLAIN, allow_plain
from textbook.training.engine.device import best_device

LINE_EVERY = 20.0  # seconds between lines on the progress of a distillation


def run_bundle(
    folder: Path, hours: float | None = None, threads: int | None = None, *, several_runs: bool = False
) -> None:
    """Make the cells of an unpacked bundle, and put each finished one into the folder `results`.

    A run that was killed or that has stopped in time is continued by the next one.

    Args:
        hours: the time that this run may take; None: as long as it takes.
        threads: number of threads of PyTorch on a CPU; None: that of the sweep's cells on the machine of the bundle.
        several_runs: accept a time that is too short for one cell.

    Raises:
        UserError: the folder has no whole bundle, another process runs it, the time is too short, or cells failed.
        SystemExit: SIGTERM was received.
    """
    limit = TimeLimit(hours)
    with _alone(folder):
        bundle = read_bundle(folder)
        engine = _prepare(bundle, threads)
        runner = _Runner(bundle, limit, engine, several_runs=several_runs)
        try:
            with limit.stopping():
                runner.run()
        except SystemExit:
            if not limit.used_up:
                raise
            runner.check_progress()
    runner.close()


def _prepare(bundle: Bundle, threads: int | None) -> str:
    """Set the threads and the engine of the CPU, and return the name of the engine."""
    if best_device().kind.type != "cpu":
        return best_device().kind.type
    torch.set_num_threads(threads or bundle.threads)
    engine = allow_plain()
    if engine == PLAIN:
        _say("numba is not installed: PyTorch's own layers are used, which are slower and draw other random numbers")
    return engine


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a bundle.

    Raises:
        UserError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another process is running this bundle") from None
        yield


class _Runner:
    """A run of a bundle, and what has become of its cells so far."""

    def __init__(self, bundle: Bundle, limit: TimeLimit, engine: str, *, several_runs: bool) -> None:
        self.bundle, self.limit, self.engine, self.several_runs = bundle, limit, engine, several_runs
        self.failed: list[Cell] = []
        self.progressed = False
        """Whether this run has done anything that the next one need not do again."""

    def run(self) -> None:
        """Make the cells that are not done yet."""
        todo = {job.cell: job for job in self.bundle.jobs if not self._is_done(job.folder)}
        self.say(f"{len(self.bundle.jobs)} cells, {self._done()} done; on {device_name()}, engine {self.engine}")
        if todo:
            for cells in group_cells(list(todo), self._most_together(list(todo.values()))):
                self._run_cohort([self._found(todo[cell]) for cell in cells])

    def close(self) -> None:
        """Say what there is now.

        Raises:
            UserError: cells failed.
        """
        results, done, count = self.bundle.folder / RESULTS, self._done(), len(self.bundle.jobs)
        if self.failed:
            raise UserError(f"{len(self.failed)} cells failed, {done} of {count} are done and in {results}")
        rest = "" if done == count else f"; run it again for the other {count - done}"
        self.say(f"{done} of {count} cells are done and in {results}{rest}")

    def check_progress(self) -> None:
        """Check that a run that ran out of time was not in vain.

        Raises:
            UserError: the next one would stop at the same place.
        """
        if not self.progressed:
            raise UserError(
                f"--hours {self.limit.hours:g}: is too short: no step was finished that the next run would not repeat"
            )
        self.say("stopped before the time is over; the work so far is saved")

    def _run_cohort(self, jobs: Sequence[CellJob]) -> None:
        names = " and ".join(str(job.cell) for job in jobs)
        self.say(f"start {names}")
        waiting = {job.cell: job for job in jobs}
        pace = _Pace(jobs, self)
        hooks = Hooks(lambda _cell, _folder: None, pace.log, lambda _cell, _history: nullcontext())
        try:
            for cell, outcome in run_cohort(jobs, hooks):
                job = waiting.pop(cell)
                if isinstance(outcome, Exception):
                    self._fail(cell, outcome)
                    continue
                self._keep(job)
                self.say(f"done {cell}: {outcome['metric']} {outcome['mean']:.2f}, {outcome['seconds']:.0f} s")
        except TooShort:
            raise
        except Exception as error:  # one that the cohort shares; the next one may succeed
            for cell in waiting:
                self._fail(cell, error)

    def _keep(self, job: CellJob) -> None:
        """Move a finished cell to the results."""
        write_origin(job, self.bundle.key, self.engine)
        target = self._result(job.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        job.folder.rename(target)
        self.progressed = True

    def _fail(self, cell: Cell, error: Exception) -> None:
        self.failed.append(cell)
        if not isinstance(error, UserError | OSError):
            traceback.print_exception(error)
        self.say(f"failed {cell}: {' '.join(str(error).split()) or type(error).__name__}")

    def _found(self, job: CellJob) -> CellJob:
        """A job that finds the cell whose student it goes on from, also if that one is finished."""
        return replace(job, first=self._result(job.first)) if job.first and self._is_done(job.first) else job

    def _result(self, folder: Path) -> Path:
        """Where the folder of a cell is moved when the cell is finished."""
        return self.bundle.folder / RESULTS / folder.relative_to(self.bundle.folder / CELLS)

    def _is_done(self, folder: Path) -> bool:
        return (self._result(folder) / ORIGIN).is_file()

    def _done(self) -> int:
        return sum(self._is_done(job.folder) for job in self.bundle.jobs)

    def _most_together(self, jobs: Sequence[CellJob]) -> int:
        """The most students of a cohort for which the memory suffices."""
        weights = max(student_parameters(job.student, load_config(job.inputs.teacher)) for job in jobs)
        return max(1, min(self.bundle.cohort, students_in_memory(weights, gpus=1, slots=1)))

    def say(self, text: str) -> None:
        """Print a line on an event."""
        _say(f"{self.limit.stamp()} {text}")


class _Pace:
    """The speed of a cohort's distillation, from which its need of time follows."""

    def __init__(self, jobs: Sequence[CellJob], runner: _Runner) -> None:
        self.steps, self.students, self.runner = jobs[0].distill.steps, len(jobs), runner
        self.first: tuple[int, float] | None = None
        self.shown = 0.0

    def log(self, cell: Cell, step: int, figures: Mapping[str, float]) -> None:
        """Show the progress now and then.

        Raises:
            TooShort: the time is too short for one cell.
        """
        self.runner.progressed |= step > 0
        now = time.monotonic()
        if self.first is None:
            self.first = step, now
        elif step > self.first[0] and not self.runner.several_runs:
            # A student alone needs at least its share of the time of its cohort.
            per_step = (now - self.first[1]) / (step - self.first[0]) / self.students
            needed = per_step * (self.steps - self.first[0])
            self.runner.limit.check_enough(needed, f"{self.steps - self.first[0]:,} steps of distillation")
        if now - self.shown >= LINE_EVERY:
            self.shown = now
            total = f" of {self.steps:,}" if step <= self.steps else " (second textbook)"
            self.runner.say(f"{cell}: step {step:,}{total}, loss {figures['loss']:.3f}")


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
