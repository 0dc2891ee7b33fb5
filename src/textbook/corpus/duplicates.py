"""Finding the sentences that repeat an earlier one, over many shards and in bounded memory.

Sentences are equal if they are the same text: case, Unicode composition and the kind of blanks do not matter; see
`canonical`. The canonical form of each sentence is hashed to 128 bits. (The probability that any two of 10^10 different
sentences share a hash is 10^-19.)

The input is divided into stretches, and the sorted hashes of each stretch are written to a file. The hashes are then
divided by value into buckets; see `textbook.corpus.stretches`. Equal sentences have equal hashes, so they fall into the
same bucket, which is sorted. The disk holds 24 bytes per sentence.
"""

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from textbook.corpus.stretches import (
    BUCKET_ROWS,
    Bucket,
    Stretch,
    cut_buckets,
    input_size,
    map_arrays,
    read_bucket,
    save_array,
)
from textbook.ray_tasks import run_all
from textbook.word_bytes import text_bytes
from textbook.words import canonical


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
    size = input_size(stretches)
    jobs = list(zip(stretches, hashes, strict=True))
    run_all(_write_hashes, jobs, "hashes", size)
    buckets = cut_buckets(sum(stretch.rows for stretch in stretches), bucket_rows)
    targets = [folder / f"duplicates-{number:06}.npy" for number in range(len(buckets))]
    run_all(partial(_write_duplicates, hashes=hashes), list(zip(buckets, targets, strict=True)), "duplicates", size)
    return targets


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
    save_array(target, np.stack([halves[order, 0], halves[order, 1], (order + stretch.place).astype(np.uint64)]))


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


def _write_duplicates(item: tuple[Bucket, Path], hashes: Sequence[Path]) -> None:
    """Write the places of the duplicates in a bucket; its limits apply to the high halves of the hashes."""
    bucket, target = item
    if target.exists():
        return
    high, low, places = read_bucket(map_arrays(hashes), bucket, 3)
    order = np.lexsort((low, high))  # stable: equal hashes stay in input order, so only later ones count as repeated
    high, low = high[order], low[order]
    repeated = order[1:][(high[1:] == high[:-1]) & (low[1:] == low[:-1])]
    save_array(target, np.sort(places[repeated].astype(np.int64)))
