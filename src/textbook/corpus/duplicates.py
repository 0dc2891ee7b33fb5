"""Which sentences of many shards repeat an earlier one, exactly and in bounded memory.

Each sentence becomes a hash of 128 bits (two of 10^10 different sentences share one with a chance of 10^-19). The
hashes of a stretch of the input go to a file, sorted. Then a bucket, which is a range of hashes, is taken out of all
files and sorted in memory by itself, as equal sentences have equal hashes. So memory holds a stretch or a bucket for
each core, no matter how many sentences there are; the disk holds 24 bytes for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.files import write_aside
from textbook.parallel import run_all

STRETCH_ROWS = 1_000_000
BUCKET_ROWS = 4_000_000

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Row groups of a shard of sentences; `place` is where its first sentence stands in the whole input."""

    path: Path
    start: int
    stop: int
    place: int
    rows: int

    def read(self) -> pa.ChunkedArray:
        """Its sentences."""
        groups = list(range(self.start, self.stop))
        with pq.ParquetFile(self.path) as file:
            return file.read_row_groups(groups, columns=["sentence"])["sentence"]


def cut_shards(shards: Sequence[Path], stretch_rows: int = STRETCH_ROWS) -> list[Stretch]:
    """Shards as stretches of about `stretch_rows` sentences, as far as their row groups allow; none is empty."""
    stretches = []
    place = 0
    for path in shards:
        footer = pq.read_metadata(path)
        start = rows = 0
        for group in range(footer.num_row_groups):
            rows += footer.row_group(group).num_rows
            if rows >= stretch_rows or (rows and group + 1 == footer.num_row_groups):
                stretches.append(Stretch(path.absolute(), start, group + 1, place, rows))
                start, place, rows = group + 1, place + rows, 0
    return stretches


def find_duplicates(stretches: Sequence[Stretch], folder: Path, bucket_rows: int = BUCKET_ROWS) -> list[Path]:
    """Write the ascending places of all sentences that repeat an earlier one, a file (int64) for each bucket.

    Goes on where a killed call left `folder`, which is for this input alone.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    hashes = [folder / f"hashes-{number:06}.npy" for number in range(len(stretches))]
    size = sum(path.stat().st_size for path in {stretch.path for stretch in stretches})
    jobs = list(zip(stretches, hashes, strict=True))
    run_all(_write_hashes, jobs, "hashes", size)
    count = max(1, -(-sum(stretch.rows for stretch in stretches) // bucket_rows))
    limits = [number * 2**64 // count for number in range(count + 1)]
    targets = [folder / f"duplicates-{number:06}.npy" for number in range(count)]
    buckets = list(zip(limits, limits[1:], targets, strict=False))
    run_all(partial(_write_duplicates, hashes=hashes), buckets, "duplicates", size)
    return targets


def duplicates_in(files: Sequence[Path], start: int, stop: int) -> Places:
    """The places of duplicates from `start` up to `stop`, ascending."""
    found = [np.empty(0, np.int64)]
    for path in files:
        places = np.load(path, mmap_mode="r")
        found.append(places[slice(*np.searchsorted(places, [start, stop]))])
    return np.sort(np.concatenate(found))


def count_duplicates(files: Sequence[Path], limits: Places) -> Places:
    """How many duplicates there are between each of the ascending places `limits` and the next."""
    counts = np.zeros(len(limits) - 1, np.int64)
    for path in files:
        counts += np.diff(np.searchsorted(np.load(path, mmap_mode="r"), limits))
    return counts


def _write_hashes(item: tuple[Stretch, Path]) -> None:
    """Three rows of uint64: high and low half of each hash and the place, sorted by the high half."""
    stretch, target = item
    if target.exists():
        return
    digests = bytearray()
    for chunk in stretch.read().chunks:
        for start in range(0, len(chunk), 65_536):
            for sentence in chunk.slice(start, 65_536).cast(pa.binary()).to_pylist():
                digests += blake2b(sentence, digest_size=16).digest()
    halves = np.frombuffer(digests, "<u8").reshape(-1, 2)
    order = np.argsort(halves[:, 0], kind="stable")
    _save(target, np.stack([halves[order, 0], halves[order, 1], (order + stretch.place).astype(np.uint64)]))


def _write_duplicates(bucket: tuple[int, int, Path], hashes: Sequence[Path]) -> None:
    first, end, target = bucket
    if target.exists():
        return
    slices = [np.empty((3, 0), np.uint64)]
    for path in hashes:
        columns = np.load(path, mmap_mode="r")
        start = np.searchsorted(columns[0], np.uint64(first))
        stop = np.searchsorted(columns[0], np.uint64(end)) if end < 2**64 else columns.shape[1]
        slices.append(columns[:, start:stop])
    high, low, place = np.concatenate(slices, axis=1)
    order = np.lexsort((low, high))  # stable, and equal hashes stand in input order, so the first of them stays first
    high, low = high[order], low[order]
    again = order[1:][(high[1:] == high[:-1]) & (low[1:] == low[:-1])]
    _save(target, np.sort(place[again].astype(np.int64)))


def _save(path: Path, array: NDArray[Any]) -> None:
    """As `numpy.save`, which itself doesn't say when it is the disk that is full."""
    file = BytesIO()
    np.save(file, array)
    with write_aside(path) as aside:
        aside.write_bytes(file.getbuffer())
