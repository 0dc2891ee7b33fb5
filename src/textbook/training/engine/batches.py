"""Batches of texts of similar length, determined by the seed and the step alone."""

import numpy as np
from numpy.typing import NDArray

POOL = 50  # batches whose texts are sorted by length together
_ROUNDS = 6


class BatchStream:
    """An endless stream of batches. Step n always has the same batch, so a run can resume at any step.

    In each epoch, the texts are shuffled, sorted by length within pools of `POOL` batches, and cut into batches; then
    the batches of each pool are shuffled. An epoch contains every text once, and its last batch can be smaller. Only
    one pool is computed at a time, so an epoch of billions of texts starts as fast as one of hundreds.

    Args:
        offsets: offsets of the texts in their tokens, in memory or memory-mapped; text n has
            `offsets[n + 1] - offsets[n]` tokens.
        batch: texts in a batch.
    """

    def __init__(self, offsets: NDArray[np.int64], batch: int, seed: int) -> None:
        self.offsets, self.batch, self.seed = offsets, batch, seed
        self.texts = len(offsets) - 1
        self.per_epoch = -(-self.texts // batch)
        self._pool = (-1, -1)
        self._batches: list[NDArray[np.int64]] = []

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of the batch of a step, counted from 0."""
        epoch, position = divmod(step, self.per_epoch)
        pool, position = divmod(position, POOL)
        if (epoch, pool) != self._pool:
            self._pool, self._batches = (epoch, pool), self._batches_of(epoch, pool)
        return self._batches[position]

    def _batches_of(self, epoch: int, pool: int) -> list[NDArray[np.int64]]:
        size = POOL * self.batch
        positions = np.arange(pool * size, min((pool + 1) * size, self.texts))
        rows = shuffled(positions, self.texts, np.random.default_rng([self.seed, epoch]))
        rows = rows[np.argsort(self.offsets[rows + 1] - self.offsets[rows], kind="stable")]
        batches = [rows[start : start + self.batch] for start in range(0, len(rows), self.batch)]
        order = np.random.default_rng([self.seed, epoch, pool]).permutation(len(batches))
        return [batches[number] for number in order]


def shuffled(places: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """The entries of a random permutation of `range(count)` at some positions, without computing the other entries.

    A Feistel network permutes the numbers below the next power of four. Results of `count` or more are permuted again
    until they are below `count` (cycle walking, Black and Rogaway 2002).

    Args:
        places: positions in the permutation, from 0 to `count - 1`.
        count: the length of the permutation.
    """
    half = max(1, -(-int(count - 1).bit_length() // 2))
    keys = random.integers(2**32, size=_ROUNDS, dtype=np.uint64)
    numbers = places.copy()
    above = np.ones(len(places), bool)
    while above.any():
        numbers[above] = _feistel(numbers[above], half, keys)
        above = numbers >= count
    return numbers


def _feistel(numbers: NDArray[np.int64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Permute numbers of 2 * `half` bits."""
    low = np.uint64(2**half - 1)
    left, right = numbers.astype(np.uint64) >> np.uint64(half), numbers.astype(np.uint64) & low
    for key in keys:
        mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps around, as multiplicative hashing does
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        left, right = right, left ^ ((mixed >> np.uint64(32)) & low)
    return (left << np.uint64(half) | right).astype(np.int64)
