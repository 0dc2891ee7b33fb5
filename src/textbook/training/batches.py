"""Which texts make which batch: similar lengths together, and everything a function of seed and position."""

import numpy as np
from numpy.typing import NDArray

POOL = 50  # batches that are sorted by length together


def epoch_batches(lengths: NDArray[np.int64], batch: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """One epoch of batches, each with texts of similar length, in random order.

    Texts are shuffled, sorted by length within pools of some batches, cut into batches, and the batches shuffled. The
    last batch can be smaller.

    Returns:
        The rows of each batch.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), POOL * batch):
        pool = order[start : start + POOL * batch]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch] for at in range(0, len(pool), batch)]
    return [batches[place] for place in random.permutation(len(batches))]


class BatchStream:
    """An endless stream of batches in which step n is always the same batch, so that a run resumes where it was."""

    def __init__(self, lengths: NDArray[np.int64], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed = lengths, batch, seed
        self.per_epoch = -(-len(lengths) // batch)
        self._epoch = -1
        self._batches: list[NDArray[np.int64]] = []

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of the batch of a step, counted from 0."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, epoch_batches(self.lengths, self.batch, self.seed, epoch)
        return self._batches[place]
