"""How fast and how well training goes, from one line of its log to the next."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Meter:
    """Counts what is done.

    Args:
        flops: operations that sentences of so many tokens need, padding aside.
        peak: operations per second of the devices together.
    """

    def __init__(self, flops: Callable[[NDArray[np.int64]], float], peak: float) -> None:
        self._flops, self._peak = flops, peak
        self.losses: list[Tensor] = []
        self._start()

    def _start(self) -> None:
        self.losses = []
        self._tokens, self._useful, self._waited, self._since = 0, 0.0, 0.0, time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What happens in the block is waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def count(self, loss: Tensor, lengths: NDArray[np.int64]) -> None:
        """A step was done on sentences of so many tokens."""
        self.losses.append(loss)
        self._tokens += int(lengths.sum())
        self._useful += self._flops(lengths)

    def not_finite(self) -> int | None:
        """Which of the losses since the last reading is the first that is not finite."""
        finite = torch.stack(self.losses).isfinite().tolist()
        return None if all(finite) else finite.index(False)

    def read(self) -> dict[str, float]:
        """The mean `loss`, `tokens_per_second`, `share_of_peak` and the share of time spent `waiting`; starts anew."""
        loss = float(torch.stack(self.losses).mean())  # a GPU is waited for here, before the clock is read
        seconds = time.monotonic() - self._since
        figures = {
            "loss": loss,
            "tokens_per_second": self._tokens / seconds,
            "share_of_peak": self._useful / seconds / self._peak,
            "waiting": self._waited / seconds,
        }
        self._start()
        return figures
