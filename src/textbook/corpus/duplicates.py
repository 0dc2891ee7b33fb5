"""Finding the sentences that repeat an earlier one, over many shards and in bounded memory.

Sentences are equal if they are the same text: case, Unicode composition and the kind of blanks do not matter; see
`canonical`. The canonical form of each sentence is hashed to 128 bits. (The probability that any two of 10^10 different
sentences share a hash is 10^-19.)

The input is divided into stretches, and the sorted hashes of each stretch are written to a file. The hashes are then
divided by value into buckets. Equal sentences have equal hashes, so they fall into the same bucket, and each bucket is
read from all files and sorted separately. Memory holds one stretch or one bucket per core, however many sentences there
are. The disk holds 24 bytes per sentence.

The place of a sentence is its index in the whole input.
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
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from textbook.files import atomic_write
from textbook.ray_tasks import run_all
from textbook.word_bytes import text_bytes
from textbook.words import canonical

STRETCH_ROWS = 1_000_000
BUCKET_ROWS = 4_000_000

Places = NDArray[np.int64]


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


def find_duplicates(stretches: Sequence[Stretch], folder: Path, bucket_rows: int = BUCKET_ROWS) -> list[Path]:
    """Write the places of all sentences that repeat an earlier one, as one file of ascending int64 per bucket.

    Args:
        folder: the output folder, used for this input only. If a previous call was killed, its files are reused.

    Returns:
        The files.
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
    """The ascending places of the duplicates with `start` <= place < `stop`."""
    slices = [np.empty(0, np.int64)]
    for path in files:
        places = np.load(path, mmap_mode="r")
        slices.append(places[slice(*np.searchsorted(places, [start, stop]))])
    return np.sort(np.concatenate(slices))


def count_duplicates(files: Sequence[Path], limits: Places) -> Places:
    """The number of duplicates between each of the ascending places `limits` and the next one."""
    counts = np.zeros(len(limits) - 1, np.int64)
    for path in files:
        counts += np.diff(np.searchsorted(np.load(path, mmap_mode="r"), limits))
    return counts


def _write_hashes(item: tuple[Stretch, Path]) -> None:
    """Write the hashes of a stretch as uint64 [3, rows]: high half, low half and place, sorted by the high half."""
    stretch, target = item
    if target.exists():
        return
    digests = bytearray()
    for chunk in stretch.read().chunks:
        for start in range(0, len(chunk), 65_536):
            for text in _canonical_bytes(chunk.slice(start, 65_536)):
                digests += blake2b(text, digest_size=16).digest()
    halves = np.frombuffer(digests, "<u8").reshape(-1, 2)
    order = np.argsort(halves[:, 0], kind="stable")
    _save(target, np.stack([halves[order, 0], halves[order, 1], (order + stretch.place).astype(np.uint64)]))


def _canonical_bytes(sentences: pa.StringArray) -> list[bytes]:
    """The canonical form of each sentence, in UTF-8."""
    texts: list[bytes] = pc.ascii_lower(sentences).cast(pa.binary()).to_pylist()
    for place in np.flatnonzero(~_is_plain(*text_bytes(sentences))).tolist():
        texts[place] = canonical(sentences[place].as_py()).encode()
    return texts


@njit(cache=True, nogil=True)
def _is_plain(text: NDArray[np.uint8], offsets: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each sentence is canonical but for its case: visible ASCII characters with single spaces between them."""
    plain = np.ones(len(offsets) - 1, np.bool_)
    for number in range(len(plain)):
        after_space = True
        for position in range(offsets[number], offsets[number + 1]):
            byte = text[position]
            if byte < 0x20 or byte >= 0x7F or (byte == 0x20 and after_space):
                plain[number] = False
                break
            after_space = byte == 0x20
        plain[number] &= not after_space or offsets[number] == offsets[number + 1]
    return plain


def _write_duplicates(bucket: tuple[int, int, Path], hashes: Sequence[Path]) -> None:
    """Write the places of the duplicates in a bucket; its limits apply to the high halves of the hashes."""
    low_limit, high_limit, target = bucket
    if target.exists():
        return
    slices = [np.empty((3, 0), np.uint64)]
    for path in hashes:
        columns = np.load(path, mmap_mode="r")
        start = np.searchsorted(columns[0], np.uint64(low_limit))
        stop = np.searchsorted(columns[0], np.uint64(high_limit)) if high_limit < 2**64 else columns.shape[1]
        slices.append(columns[:, start:stop])
    high, low, places = np.concatenate(slices, axis=1)
    order = np.lexsort((low, high))  # stable: equal hashes stay in input order, so only later ones count as repeated
    high, low = high[order], low[order]
    repeated = order[1:][(high[1:] == high[:-1]) & (low[1:] == low[:-1])]
    _save(target, np.sort(places[repeated].astype(np.int64)))


def _save(path: Path, array: NDArray[Any]) -> None:
    """Save an array like `numpy.save`, but raise an error that says so if the disk is full."""
    buffer = BytesIO()
    np.save(buffer, array)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
