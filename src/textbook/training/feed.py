"""What each step of training reads, made ready in the background so that the device never waits for it."""

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

from textbook.training.tokens import Tokens, collate

AHEAD = 4  # batches
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """A process's share of a batch."""

    inputs: dict[str, Tensor]
    """`input_ids`, `attention_mask` and `token_type_ids`, int64 [share, seq]."""
    weights: Tensor
    """What each sentence counts, fp32 [share]; they add up to 1 over all shares."""
    lengths: NDArray[np.int64]
    """Tokens of each sentence of the whole batch."""

    def to(self, device: torch.device) -> "Batch":
        """The same on a device, without waiting for the copy."""
        inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in self.inputs.items()}
        return Batch(inputs, self.weights.to(device, non_blocking=True), self.lengths)

    def pinned(self) -> "Batch":
        """The same in memory from which a GPU copies by itself."""
        inputs = {name: tensor.pin_memory() for name, tensor in self.inputs.items()}
        return Batch(inputs, self.weights.pin_memory(), self.lengths)

    def copy(self) -> "Batch":
        """The same in memory of its own."""
        return Batch({name: tensor.clone() for name, tensor in self.inputs.items()}, self.weights.clone(), self.lengths)

    def overwrite(self, other: "Batch") -> None:
        """Take over the tensors of another batch of the same shape."""
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
    """The share of process `rank` of `count` in the batch of some rows.

    Args:
        size: sentences of the share at least; the first one, without weight, fills it up.
        multiple: of what the padded length is one.
    """
    share = rows[rank::count]  # every so many, so that all shares have sentences of similar lengths
    missing = max(size, 1) - len(share)
    filled = np.concatenate([share, np.repeat(rows[:1], missing)]) if missing > 0 else share
    weights = torch.zeros(len(filled))
    weights[: len(share)] = 1 / len(rows)
    lengths = tokens.offsets[rows + 1] - tokens.offsets[rows]
    return Batch(collate(tokens, filled, pad_id, multiple), weights, lengths)


@contextmanager
def ahead(make: Callable[[int], T], steps: Iterable[int]) -> Iterator[Iterator[T]]:
    """What `make` gives for each of the steps, made by a thread that is some steps ahead."""
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
