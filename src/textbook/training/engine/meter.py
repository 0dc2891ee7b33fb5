"""Loss and speed of training between two lines of its log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Meter:
    """Accumulates losses, tokens, FLOPs and waiting times.

    Args:
        flops: returns the FLOPs needed for sentences of the given lengths in tokens, without padding.
        peak: peak FLOP/s of all devices together.
    """

    def __init__(self, flops: Callable[[NDArray[np.int64]], float], peak: float) -> None:
        self._flops, self._peak = flops, peak
        self.losses: list[Tensor] = []
        self._reset()

    def _reset(self) -> None:
        self.losses = []
        self._tokens, self._useful, self._waited, self._since = 0, 0.0, 0.0, time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def count(self, loss: Tensor, lengths: NDArray[np.int64]) -> None:
        """Record a step on sentences of these lengths in tokens."""
        self.losses.append(loss)
        self._tokens += int(lengths.sum())
        self._useful += self._flops(lengths)

    def not_finite(self) -> int | None:
        """The index of the first loss since the last reading that is not finite; None if all are finite."""
        finite = torch.stack(self.losses).isfinite().tolist()
        return None if all(finite) else finite.index(False)

    def read(self) -> dict[str, float]:
        """The mean `loss`, `tokens_per_second`, `share_of_peak` and share of time spent `waiting`; resets the meter."""
        loss = float(torch.stack(self.losses).mean())  # waits for the GPU, so the clock must be read afterwards
        seconds = time.monotonic() - self._since
        figures = {
            "loss": loss,
            "tokens_per_second": self._tokens / seconds,
            "share_of_peak": self._useful / seconds / self._peak,
            "waiting": self._waited / seconds,
        }
        self._reset()
        return figures
