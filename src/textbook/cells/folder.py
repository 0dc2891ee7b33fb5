"""The folder of a cell: its lock, its clock, and work that has become stale."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textbook.cells.cell import RESULT, STOPPED_FILE
from textbook.errors import UserError
from textbook.files import read_json, remove, write_json

CLOCK = "clock.json"
_LOCK = ".lock"

Check = Callable[[], None]
"""Raises a UserError if the inputs of a cell are not those by which its folder is named."""


@contextmanager
def discarded_unless(check: Check, folder: Path) -> Iterator[None]:
    """Remove all work on a cell if a check fails after a step, because the step may have read other inputs."""
    yield
    try:
        check()
    except UserError:
        for path in folder.iterdir():
            if path.name != _LOCK:
                remove(path)
        raise


class Clock:
    """Seconds of work on a cell, over all attempts.

    Args:
        share: the cell's share in the work of this attempt. Students of a cohort share the time of their distillation.
    """

    def __init__(self, folder: Path, share: float = 1.0) -> None:
        self._path, self._share = folder / CLOCK, share
        self._before = float(read_json(self._path)["seconds"]) if self._path.is_file() else 0.0
        self._start = time.monotonic()

    def tick(self) -> float:
        """The seconds so far; they are written, so that they count if the process is killed."""
        seconds = self._before + (time.monotonic() - self._start) * self._share
        write_json(self._path, {"seconds": seconds})
        return seconds


@contextmanager
def locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a cell's lock. The operating system releases it when the process ends, even if the process is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        fcntl.flock(file, how)
        yield


def remove_stale(folder: Path) -> None:
    """Remove unfinished work on the same place in the grid with other inputs or other code, unless it is running.

    A cell that ASHA stopped is kept: it counts as stopped when its inputs are back.
    """
    for other in folder.parent.iterdir():
        if other != folder and not any((other / name).is_file() for name in (RESULT, STOPPED_FILE)):
            with suppress(BlockingIOError), locked(other, fcntl.LOCK_EX | fcntl.LOCK_NB):
                remove(other)
