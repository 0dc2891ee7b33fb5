"""A limit of time: a run that stops itself in time, and that knows early if the time is too short."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType

from textbook.errors import UserError
from textbook.training.engine.checkpoints import TERMINATED

MARGIN, MOST_MARGIN = 0.1, 60.0  # share of the time, and seconds, that are left for a last step and its checkpoint
_AGAIN = 2.0  # seconds between signals: one may come when nobody would act on it


class TooShort(UserError):
    """The time is too short for one cell."""


class TimeLimit:
    """The time that a run may take.

    Args:
        hours: None: as long as it takes.
    """

    def __init__(self, hours: float | None) -> None:
        self.hours = hours
        self.used_up = False
        """Whether the run was stopped because the time was nearly over."""
        self._start = time.monotonic()

    def left(self) -> float:
        """Seconds until the time is over; infinite without one."""
        return self._seconds() - (time.monotonic() - self._start)

    def stamp(self) -> str:
        """The time left, or without a limit the time so far, for the beginning of a line."""
        if self.hours is None:
            return f"[{(time.monotonic() - self._start) / 60:.1f} min]"
        return f"[{max(0.0, self.left()) / 60:.1f} min left]"

    def check_enough(self, seconds: float, what: str) -> None:
        """Check that the whole time is enough for what takes `seconds`.

        Raises:
            TooShort: it is not.
        """
        if self.hours is not None and seconds > self._seconds() - self._margin():
            raise TooShort(
                f"--hours {self.hours:g}: is too short for one cell: {what} take about {seconds / 3600:.2g} hours on"
                " this machine; give more hours, or --several-runs to make a cell in more than one run"
            )

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Within the block, SIGTERM ends the run with a SystemExit, and it comes in time before the hours are over.

        Training writes a checkpoint first.
        """
        done, raised = Event(), False

        def end(_number: int, _frame: FrameType | None) -> None:
            nonlocal raised
            if not raised:
                raised = True
                raise SystemExit(TERMINATED)

        def watch() -> None:
            if done.wait(max(0.0, self.left() - self._margin())):
                return
            self.used_up = True
            while not done.is_set():
                os.kill(os.getpid(), signal.SIGTERM)
                done.wait(_AGAIN)

        before = signal.signal(signal.SIGTERM, end)
        watcher = Thread(target=watch, daemon=True)
        if self.hours is not None:
            watcher.start()
        try:
            yield
        finally:
            raised = True
            done.set()
            if self.hours is not None:
                watcher.join()  # it sends no signal any more, which would now end this process
            signal.signal(signal.SIGTERM, before)

    def _seconds(self) -> float:
        return float("inf") if self.hours is None else 3600 * self.hours

    def _margin(self) -> float:
        return min(MOST_MARGIN, MARGIN * self._seconds())
