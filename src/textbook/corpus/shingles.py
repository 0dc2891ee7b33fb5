"""Sentences as sets of shingles, and keys by which sentences with similar sets meet.

A shingle is a run of consecutive words; a sentence with fewer words than that is one shingle. Words have neither case
nor punctuation, see `textbook.words`. The similarity of two sentences is the Jaccard index of their sets: the number of
shingles in both, divided by the number in either. Shingles are hashed to 64 bits. (The probability that two of the some
50 shingles of a pair of sentences share a hash is 10^-16.)

MinHash gives a set a row of numbers, each of which is equal for two sets with a probability that is their similarity.
The row is divided into bands. The key of a band is equal if all its numbers are, so the more numbers a band has, the
fewer dissimilar sentences meet; and the more bands there are, the fewer similar ones are missed.
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from textbook.word_bytes import BASE, KINDS, UNKNOWN, Hashes, hash_words, most_words, text_bytes
from textbook.words import words

FOUND = 0.98  # of the pairs that are just similar enough, the share that meets in a band
SEED = 0

_HASHABLE = frozenset(map(chr, np.flatnonzero(KINDS != UNKNOWN).tolist()))


@dataclass(frozen=True)
class Bands:
    """The division of a row of MinHash numbers into `count` bands with `rows` numbers each."""

    count: int
    rows: int


def choose_bands(threshold: float, hashes: int) -> Bands:
    """As many numbers in a band as still find the share `FOUND` of the pairs with the similarity `threshold`.

    Args:
        hashes: the most MinHash numbers of a sentence, in all bands together.
    """
    divisions = [Bands(hashes // rows, rows) for rows in range(1, hashes + 1)]
    return next(bands for bands in reversed(divisions) if chance(threshold, bands) >= FOUND)


def chance(similarity: float, bands: Bands) -> float:
    """The probability that two sentences have an equal key in a band."""
    return 1 - (1 - similarity**bands.rows) ** bands.count


def hash_shingles(sentences: pa.StringArray, length: int) -> tuple[Hashes, NDArray[np.int64]]:
    """The shingles of sentences, each of `length` words.

    Returns:
        Hashes and offsets: sentence n has `hashes[offsets[n]:offsets[n + 1]]`, which are ascending and distinct. A
        sentence without words has none.
    """
    hashes, sizes = _hash_shingles(*text_bytes(sentences), length)
    unknown = sizes < 0
    if unknown.any():
        spelled = [_spell(sentence) for sentence in sentences.filter(pa.array(unknown)).to_pylist()]
        sentences = pc.replace_with_mask(sentences, pa.array(unknown), pa.array(spelled, pa.string()))
        hashes, sizes = _hash_shingles(*text_bytes(sentences), length)
    return hashes, np.concatenate([[0], np.cumsum(sizes)])


def band_keys(hashes: Hashes, offsets: NDArray[np.int64], bands: Bands) -> NDArray[np.uint64]:
    """The keys of sets of shingles, none of which is empty; shape [bands, sets].

    Args:
        hashes, offsets: see `hash_shingles`.
    """
    from rensa import RMinHash  # only where near-duplicates are removed

    width = bands.count * bands.rows
    numbers = RMinHash.digest_matrix_from_flat_token_hashes(
        hashes.view(np.uint64), offsets.astype(np.uint64), width, SEED
    )
    return _join(np.array(numbers.to_rows(), np.int64).reshape(-1, width), bands.count, bands.rows).view(np.uint64)


def _spell(sentence: str) -> str:
    """The words of a sentence; a word that the compiled code cannot hash is replaced by a hash in ASCII."""
    spelled = (
        word if _HASHABLE.issuperset(word) else blake2b(word.encode(), digest_size=16).hexdigest()
        for word in words(sentence)
    )
    return " ".join(spelled)


@njit(cache=True, nogil=True)
def _hash_shingles(
    text: NDArray[np.uint8], offsets: NDArray[np.int32], length: int
) -> tuple[Hashes, NDArray[np.int64]]:
    """The hashes of `hash_shingles`, and their number for each sentence, or -1 where `hash_words` cannot tell."""
    hashes = np.empty((offsets[-1] - offsets[0]) // 2 + len(offsets), np.int64)
    sizes = np.empty(len(offsets) - 1, np.int64)
    sums = np.empty(most_words(offsets) + 1, np.int64)
    shift = 1  # becomes BASE**length, which aligns the hash of a prefix with a longer one
    for _ in range(length):
        shift *= BASE
    stop = 0
    for number in range(len(sizes)):
        count = hash_words(text, offsets[number], offsets[number + 1], sums)
        if count <= 0:
            sizes[number] = count
            continue
        start, size = stop, max(1, count - length + 1)
        for first in range(size):
            run = sums[min(count, first + length)] - sums[first] * shift
            mixed = (run ^ (run >> 29)) * BASE  # otherwise similar words would have similar hashes
            hashes[start + first] = mixed ^ (mixed >> 32)
        hashes[start : start + size].sort()
        for place in range(start, start + size):
            if place == start or hashes[place] != hashes[stop - 1]:
                hashes[stop] = hashes[place]
                stop += 1
        sizes[number] = stop - start
    return hashes[:stop].copy(), sizes


@njit(cache=True, nogil=True)
def _join(numbers: Hashes, count: int, rows: int) -> Hashes:
    """Hash the numbers of each band; the result has the shape [bands, sets]."""
    keys = np.zeros((count, len(numbers)), np.int64)
    for place in range(len(numbers)):
        for band in range(count):
            key = 0
            for row in range(rows):
                key = (key ^ numbers[place, band * rows + row]) * BASE
                key ^= key >> 32
            keys[band, place] = key
    return keys
