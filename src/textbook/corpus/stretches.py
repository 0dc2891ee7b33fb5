"""Dividing the sentences of many shards: by their place into stretches, by the hashes of their content into buckets.

The place of a sentence is its index in the whole input. A stretch is read at once; a bucket is gathered from sorted
files, one of each stretch. So memory holds one stretch or one bucket per core, however many sentences there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.files import atomic_write

STRETCH_ROWS = 1_000_000
BUCKET_ROWS = 4_000_000

Places = NDArray[np.int64]
Bucket = tuple[int, int]
"""The first value of a bucket, and the first one above it."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive row groups of a shard with `rows` sentences; `place` is the place of the first one."""

    path: Path
    start: int
    stop: int
    place: int
    rows: int

    def read(self) -> pa.ChunkedArray:
        """Read the sentences of the stretch."""
        groups = list(range(self.start, self.stop))
        with pq.ParquetFile(self.path) as file:
            return file.read_row_groups(groups, columns=["sentence"])["sentence"]


def cut_shards(shards: Sequence[Path], stretch_rows: int = STRETCH_ROWS) -> list[Stretch]:
    """Divide shards into non-empty stretches of about `stretch_rows` sentences, as far as their row groups allow."""
    stretches = []
    place = 0
    for path in shards:
        metadata = pq.read_metadata(path)
        start = rows = 0
        for group in range(metadata.num_row_groups):
            rows += metadata.row_group(group).num_rows
            if rows >= stretch_rows or (rows and group + 1 == metadata.num_row_groups):
                stretches.append(Stretch(path.absolute(), start, group + 1, place, rows))
                start, place, rows = group + 1, place + rows, 0
    return stretches


def cut_buckets(rows: int, bucket_rows: int = BUCKET_ROWS) -> list[Bucket]:
    """Divide hashes, which are spread evenly over 64 bits, into buckets of about `bucket_rows`; there is at least one.

    Args:
        rows: the number of hashes.
    """
    count = max(1, -(-rows // bucket_rows))
    limits = [number * 2**64 // count for number in range(count + 1)]
    return list(pairwise(limits))


def input_size(stretches: Sequence[Stretch]) -> int:
    """The size of the files that stretches are cut from, in bytes."""
    return sum(path.stat().st_size for path in {stretch.path for stretch in stretches})


def map_arrays(files: Sequence[Path]) -> Iterator[NDArray[Any]]:
    """The arrays in files, memory-mapped."""
    return (np.load(path, mmap_mode="r") for path in files)


def places_in(files: Sequence[Path], start: int, stop: int) -> Places:
    """The ascending places with `start` <= place < `stop` in files of ascending places, such as those of duplicates."""
    slices = [np.empty(0, np.int64)]
    for places in map_arrays(files):
        slices.append(places[slice(*np.searchsorted(places, [start, stop]))])
    return np.sort(np.concatenate(slices))


def kept_rows(stretch: Stretch, files: Sequence[Path]) -> NDArray[np.bool_]:
    """Whether the place of each sentence of a stretch is in none of the files."""
    kept = np.ones(stretch.rows, bool)
    kept[places_in(files, stretch.place, stretch.place + stretch.rows) - stretch.place] = False
    return kept


def count_places(files: Sequence[Path], limits: Places) -> Places:
    """The number of places in files between each of the ascending places `limits` and the next one."""
    counts = np.zeros(len(limits) - 1, np.int64)
    for places in map_arrays(files):
        counts += np.diff(np.searchsorted(places, limits))
    return counts


def read_bucket(arrays: Iterable[NDArray[np.uint64]], bucket: Bucket, rows: int) -> NDArray[np.uint64]:
    """The columns of a bucket from arrays of shape [rows, columns] that are sorted by their first row, one by one."""
    low_limit, high_limit = bucket
    slices = [np.empty((rows, 0), np.uint64)]
    for columns in arrays:
        start = np.searchsorted(columns[0], np.uint64(low_limit))
        stop = np.searchsorted(columns[0], np.uint64(high_limit)) if high_limit < 2**64 else columns.shape[1]
        slices.append(columns[:, start:stop])
    return np.concatenate(slices, axis=1)


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Save an array like `numpy.save`, but atomically, and raise an error that says so if the disk is full."""
    buffer = BytesIO()
    np.save(buffer, array)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
