"""Finding the sentences that nearly repeat an earlier one, over many shards and in bounded memory.

A sentence is a near-duplicate if it is similar to an earlier one that is not a near-duplicate itself; see
`textbook.corpus.shingles`. So every sentence that goes has a similar one that stays, and which one stays depends on the
order of the input alone.

1. The keys of the sentences of each stretch are written to a file, sorted band by band.
2. The keys of a band are divided by value into buckets; see `textbook.corpus.stretches`. Of the sentences with one key,
   each is paired with the first `NEIGHBOURS`.
3. The shingles of all sentences in pairs are written, stretch by stretch. They give the similarity of each pair, and
   only pairs that reach the threshold count.
4. These pairs decide, in the order of the input, which sentences go.

Memory holds the keys of one stretch or one bucket per core, and one bit per sentence. The disk holds 16 bytes per
sentence and band.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from textbook.corpus.shingles import Bands, band_keys, choose_bands, hash_shingles
from textbook.corpus.stretches import (
    Bucket,
    Places,
    Stretch,
    cut_buckets,
    input_size,
    kept_rows,
    map_arrays,
    places_in,
    read_bucket,
    save_array,
)
from textbook.files import atomic_write
from textbook.params import NearDuplicates
from textbook.ray_tasks import run_all
from textbook.word_bytes import Hashes

BUCKET_ROWS = 1_000_000  # per band
NEIGHBOURS = 8  # a million sentences of boilerplate may have one key, and they are 10^12 pairs
BATCH_ROWS = 8_192


@dataclass(frozen=True)
class _Work:
    """What all parts of the work have in common, and the names of their files."""

    stretches: Sequence[Stretch]
    duplicates: Sequence[Path]
    folder: Path
    rules: NearDuplicates
    bands: Bands
    buckets: Sequence[Bucket]

    def file(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:06}.npy"

    def by_stretch(self, kind: str) -> list[Path]:
        return [self.file(kind, number) for number in range(len(self.stretches))]

    def by_bucket(self, kind: str) -> list[Path]:
        return [self.file(kind, number) for number in range(len(self.buckets))]


def find_near_duplicates(
    stretches: Sequence[Stretch],
    duplicates: Sequence[Path],
    folder: Path,
    rules: NearDuplicates,
    bucket_rows: int = BUCKET_ROWS,
) -> list[Path]:
    """Write the places of all near-duplicates, as one file of ascending int64 per stretch.

    Args:
        duplicates: files with the places of exact duplicates, which are left out of the comparison.
        folder: the output folder, used for this input only. If a previous call was killed, its files are reused.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buckets = cut_buckets(sum(stretch.rows for stretch in stretches), bucket_rows)
    bands = choose_bands(rules.threshold, rules.hashes)
    work = _Work(stretches, duplicates, folder.resolve(), rules, bands, buckets)
    numbers, size = range(len(stretches)), input_size(stretches)
    run_all(partial(_write_keys, work), numbers, "keys", size)
    run_all(partial(_write_pairs, work), range(len(buckets)), "pairs", size)
    run_all(partial(_write_shingles, work), numbers, "shingles", size)
    run_all(partial(_write_similar, work), numbers, "similarities", size)
    removed = np.zeros(sum(stretch.rows for stretch in stretches) // 8 + 1, np.uint8)
    targets = work.by_stretch("near-duplicates")
    for similar, target in zip(work.by_stretch("similar"), targets, strict=True):
        later, earlier = np.load(similar)
        save_array(target, _remove(later, earlier, removed))
    return targets


def _write_keys(work: _Work, number: int) -> None:
    """Write the keys of a stretch as uint64 [bands, 2, sentences]: key and place, sorted by the key."""
    stretch, target = work.stretches[number], work.file("keys", number)
    if target.exists():
        return
    kept = kept_rows(stretch, work.duplicates)
    places = stretch.place + np.flatnonzero(kept)
    keys, has_words = np.zeros((work.bands.count, len(places)), np.uint64), np.zeros(len(places), bool)
    for start, hashes, offsets in _read_shingles(stretch.read().filter(pa.array(kept)), work.rules.words):
        rows = start + np.flatnonzero(np.diff(offsets))
        keys[:, rows] = band_keys(hashes, np.unique(offsets), work.bands)
        has_words[rows] = True
    places = places[has_words].astype(np.uint64)
    shape = (work.bands.count, 2, len(places))
    with atomic_write(target) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<u8", "fortran_order": False, "shape": shape})
        for all_keys in keys:
            own = all_keys[has_words]
            order = np.argsort(own, kind="stable")
            file.write(own[order].data)
            file.write(places[order].data)


def _read_shingles(sentences: pa.ChunkedArray, length: int) -> Iterator[tuple[int, Hashes, NDArray[np.int64]]]:
    """The shingles of sentences as `hash_shingles` gives them, in batches with the number of the first sentence."""
    for start in range(0, len(sentences), BATCH_ROWS):
        yield start, *hash_shingles(sentences.slice(start, BATCH_ROWS).combine_chunks(), length)


def _write_pairs(work: _Work, number: int) -> None:
    """Write the candidates in a bucket.

    The pairs are uint64 [2, pairs], the places of the later and of the earlier sentence, sorted by the later one. The
    places of all sentences in them are in a second file, ascending.
    """
    target = work.file("pairs", number)
    if target.exists():
        return
    pairs = []
    for band in range(work.bands.count):
        arrays = (keys[band] for keys in map_arrays(work.by_stretch("keys")))
        keys, places = read_bucket(arrays, work.buckets[number], 2)
        order = np.argsort(keys, kind="stable")  # stable: equal keys stay in input order
        pairs.append(_pair_up(keys[order], places[order], NEIGHBOURS))
    later, earlier = np.concatenate(pairs, axis=1)
    save_array(work.file("members", number), np.unique(np.concatenate([later, earlier])).astype(np.int64))
    order = np.argsort(later, kind="stable")
    save_array(target, np.stack([later[order], earlier[order]]))


@njit(cache=True, nogil=True)
def _pair_up(keys: NDArray[np.uint64], places: NDArray[np.uint64], most: int) -> NDArray[np.uint64]:
    """Pair each sentence with those before it that have the same key, or with the first `most` of them.

    Args:
        keys: ascending.

    Returns:
        The places of both; shape [2, pairs].
    """
    count = start = 0
    for number in range(len(keys)):
        if keys[number] != keys[start]:
            start = number
        count += min(number - start, most)
    pairs = np.empty((2, count), np.uint64)
    count = start = 0
    for number in range(len(keys)):
        if keys[number] != keys[start]:
            start = number
        for other in range(start, min(number, start + most)):
            pairs[0, count], pairs[1, count] = places[number], places[other]
            count += 1
    return pairs


def _write_shingles(work: _Work, number: int) -> None:
    """Write the shingles of the candidates in a stretch as int64 [2, shingles]: place and shingle, sorted."""
    stretch, target = work.stretches[number], work.file("shingles", number)
    if target.exists():
        return
    places = np.unique(places_in(work.by_bucket("members"), stretch.place, stretch.place + stretch.rows))
    parts = [np.empty((2, 0), np.int64)]
    if len(places):
        sentences = stretch.read().take(pa.array(places - stretch.place))
        for start, hashes, offsets in _read_shingles(sentences, work.rules.words):
            sizes = np.diff(offsets)
            parts.append(np.stack([np.repeat(places[start : start + len(sizes)], sizes), hashes]))
    save_array(target, np.concatenate(parts, axis=1))


def _write_similar(work: _Work, number: int) -> None:
    """Write the similar pairs whose later sentence is in a stretch, as int64 [2, pairs] of places, sorted."""
    stretch, target = work.stretches[number], work.file("similar", number)
    if target.exists():
        return
    candidates = read_bucket(map_arrays(work.by_bucket("pairs")), (stretch.place, stretch.place + stretch.rows), 2)
    later, earlier = candidates.astype(np.int64)
    order = np.lexsort((later, earlier))
    later, earlier = later[order], earlier[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (later[1:] != later[:-1]) | (earlier[1:] != earlier[:-1])
    later, earlier = later[is_new], earlier[is_new]
    similar = np.zeros(len(later), bool)
    own = _map(work.file("shingles", number))
    starts = [other.place for other in work.stretches[: number + 1]]
    limits = np.searchsorted(earlier, [*starts, stretch.place + stretch.rows]).tolist()
    for other, (start, stop) in enumerate(pairwise(limits)):
        if start < stop:
            shingles = _map(work.file("shingles", other))
            similarities = _similarities(own, later[start:stop], shingles, earlier[start:stop])
            similar[start:stop] = similarities >= work.rules.threshold
    later, earlier = later[similar], earlier[similar]
    order = np.lexsort((earlier, later))
    save_array(target, np.stack([later[order], earlier[order]]))


def _map(path: Path) -> NDArray[np.int64]:
    """A memory-mapped array, as one that compiled code takes."""
    return np.asarray(np.load(path, mmap_mode="r"))


@njit(cache=True, nogil=True)
def _similarities(
    own: NDArray[np.int64], later: Places, others: NDArray[np.int64], earlier: Places
) -> NDArray[np.float64]:
    """The Jaccard index of each pair of sentences.

    Args:
        own, others: the shingles of the later and of the earlier sentences, as `_write_shingles` writes them.
    """
    similarities = np.empty(len(later), np.float64)
    for number in range(len(later)):
        first = np.searchsorted(own[0], later[number])
        first_stop = np.searchsorted(own[0], later[number] + 1)
        second = np.searchsorted(others[0], earlier[number])
        second_stop = np.searchsorted(others[0], earlier[number] + 1)
        size = first_stop - first + second_stop - second
        common = 0
        while first < first_stop and second < second_stop:
            if own[1, first] == others[1, second]:
                first, second, common = first + 1, second + 1, common + 1
            elif own[1, first] < others[1, second]:
                first += 1
            else:
                second += 1
        similarities[number] = common / (size - common)
    return similarities


@njit(cache=True)
def _remove(later: Places, earlier: Places, removed: NDArray[np.uint8]) -> Places:
    """Remove each later sentence of a pair whose earlier one stays.

    Args:
        later: ascending.
        removed: a bit for each sentence of the input; those that are removed are set.

    Returns:
        The places of the removed sentences, ascending.
    """
    places = np.empty(len(later), np.int64)
    count = 0
    for number in range(len(later)):
        place, other = later[number], earlier[number]
        if not (removed[other >> 3] >> (other & 7) & 1 or removed[place >> 3] >> (place & 7) & 1):
            removed[place >> 3] |= 1 << (place & 7)
            places[count] = place
            count += 1
    return places[:count]
