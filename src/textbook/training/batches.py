"""Which texts make which batch: similar lengths together, and everything a function of seed and position."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

POOL = 50  # batches that are sorted by length together
_ROUNDS = 6


class BatchStream:
    """An endless stream of batches in which step n is always the same batch, so that a run resumes where it was.

    The texts of each epoch are shuffled, sorted by length within pools of some batches, cut into batches, and the
    batches of a pool shuffled. An epoch has every text once; its last batch can be smaller. No more than a pool is ever
    worked out, so that an epoch of billions begins as fast as one of hundreds.

    Args:
        offsets: of the texts in their tokens, in memory or mapped: text n has `offsets[n + 1] - offsets[n]` tokens.
    """

    def __init__(self, offsets: NDArray[np.int64], batch: int, seed: int) -> None:
        self.offsets, self.batch, self.seed = offsets, batch, seed
        self.texts = len(offsets) - 1
        self.per_epoch = -(-self.texts // batch)
        self._pool = (-1, -1)
        self._batches: list[NDArray[np.int64]] = []

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of the batch of a step, counted from 0."""
        epoch, place = divmod(step, self.per_epoch)
        pool, place = divmod(place, POOL)
        if (epoch, pool) != self._pool:
            self._pool, self._batches = (epoch, pool), self._batches_of(epoch, pool)
        return self._batches[place]

    def _batches_of(self, epoch: int, pool: int) -> list[NDArray[np.int64]]:
        size = POOL * self.batch
        places = np.arange(pool * size, min((pool + 1) * size, self.texts))
        rows = shuffled(places, self.texts, np.random.default_rng([self.seed, epoch]))
        rows = rows[np.argsort(self.offsets[rows + 1] - self.offsets[rows], kind="stable")]
        batches = [rows[at : at + self.batch] for at in range(0, len(rows), self.batch)]
        return [batches[place] for place in np.random.default_rng([self.seed, epoch, pool]).permutation(len(batches))]


def epoch_batches(offsets: NDArray[np.int64], batch: int, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
    """The rows of the batches of one epoch of a `BatchStream`."""
    stream = BatchStream(offsets, batch, seed)
    yield from (stream.rows(epoch * stream.per_epoch + place) for place in range(stream.per_epoch))


def shuffled(places: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """What a random permutation of `count` numbers has at some places, without working out the others.

    A Feistel network permutes the numbers below the next power of four; those of `count` and above are permuted again
    until they fall below it (cycle walking, Black and Rogaway 2002).
    """
    half = max(1, -(-int(count - 1).bit_length() // 2))
    keys = random.integers(2**32, size=_ROUNDS, dtype=np.uint64)
    found = places.copy()
    above = np.ones(len(places), bool)
    while above.any():
        found[above] = _feistel(found[above], half, keys)
        above = found >= count
    return found


def _feistel(numbers: NDArray[np.int64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """A permutation of the numbers of twice `half` bits."""
    low = np.uint64(2**half - 1)
    left, right = numbers.astype(np.uint64) >> np.uint64(half), numbers.astype(np.uint64) & low
    for key in keys:
        mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps around, as multiplicative hashing does
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        left, right = right, left ^ ((mixed >> np.uint64(32)) & low)
    return (left << np.uint64(half) | right).astype(np.int64)
