"""Batches of training steps, prepared in the background so that the device does not wait for data."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textbook.training.engine.tokens import Tokens, collate

AHEAD = 4  # batches that are prepared in advance
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """The share of one process in a batch."""

    inputs: dict[str, Tensor]
    """`input_ids`, `attention_mask` and `token_type_ids`, int64 [share, seq]."""
    weights: Tensor
    """The weight of each sentence, fp32 [share]. Weights add up to 1 over all shares."""
    lengths: NDArray[np.int64]
    """Number of tokens of each sentence of the whole batch."""

    def to(self, device: torch.device) -> "Batch":
        """A copy of the batch on a device; does not wait for the transfer."""
        inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in self.inputs.items()}
        return Batch(inputs, self.weights.to(device, non_blocking=True), self.lengths)

    def pinned(self) -> "Batch":
        """A copy of the batch in pinned memory, from which transfers to a GPU are asynchronous."""
        inputs = {name: tensor.pin_memory() for name, tensor in self.inputs.items()}
        return Batch(inputs, self.weights.pin_memory(), self.lengths)

    def copy(self) -> "Batch":
        """A copy of the batch with its own tensors."""
        return Batch({name: tensor.clone() for name, tensor in self.inputs.items()}, self.weights.clone(), self.lengths)

    def overwrite(self, other: "Batch") -> None:
        """Copy the tensors of another batch of the same shape into the tensors of this one."""
        for name, tensor in other.inputs.items():
            self.inputs[name].copy_(tensor, non_blocking=True)
        self.weights.copy_(other.weights, non_blocking=True)


def make_batch(
    tokens: Tokens,
    rows: NDArray[np.int64],
    pad_id: int,
    *,
    rank: int = 0,
    count: int = 1,
    size: int = 0,
    multiple: int = 1,
) -> Batch:
    """The share of process `rank` of `count` in a batch.

    Args:
        rows: the texts of the whole batch.
        size: the minimum number of sentences of the share. The first sentence of the batch, with weight 0, fills it up.
        multiple: the padded length is a multiple of this.
    """
    share = rows[rank::count]  # every `count`-th row, so that all shares have sentences of similar lengths
    missing = max(size, 1) - len(share)
    filled = np.concatenate([share, np.repeat(rows[:1], missing)]) if missing > 0 else share
    weights = torch.zeros(len(filled))
    weights[: len(share)] = 1 / len(rows)
    lengths = tokens.offsets[rows + 1] - tokens.offsets[rows]
    return Batch(collate(tokens, filled, pad_id, multiple), weights, lengths)


@contextmanager
def prefetch(make: Callable[[int], T], steps: Iterable[int]) -> Iterator[Iterator[T]]:
    """Yield an iterator over `make(step)` for all steps; a thread computes the results some steps in advance."""
    with ThreadPoolExecutor(1, "feed") as pool:

        def results() -> Iterator[T]:
            waiting: deque[Future[T]] = deque()
            for step in steps:
                waiting.append(pool.submit(make, step))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        try:
            yield results()
        finally:
            pool.shutdown(cancel_futures=True)
