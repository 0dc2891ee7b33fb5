"""Speed of training between two lines of its log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Accumulates tokens, FLOPs and waiting times.

    Args:
        peak: peak FLOP/s of all devices together.
    """

    def __init__(self, peak: float) -> None:
        self._peak = peak
        self._reset()

    def _reset(self) -> None:
        self._tokens, self._useful, self._waited, self._since = 0, 0.0, 0.0, time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def count(self, tokens: int, flops: float) -> None:
        """Record a step: its tokens without padding, and the FLOPs that they need."""
        self._tokens += tokens
        self._useful += flops

    def read(self) -> dict[str, float]:
        """`tokens_per_second`, `share_of_peak` and share of time spent `waiting` since the last reading.

        Read something that the device computed first, so that the time includes its work.
        """
        seconds = time.monotonic() - self._since
        figures = {
            "tokens_per_second": self._tokens / seconds,
            "share_of_peak": self._useful / seconds / self._peak,
            "waiting": self._waited / seconds,
        }
        self._reset()
        return figures
