"""General text of any size: copies of real text, with words swapped for others of like frequency.

Frequencies of words and lengths of sentences stay those of the real text, so all work on the text grows as it would
with more text. The vocabulary does not grow, as it would: it is that of the real text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from textbook.files import atomic_write
from textbook.word_bytes import text_bytes

COLUMN = "text"
KEPT = 100  # so many of the commonest words are not swapped
SPAN = 1.25  # words are swapped within ranks of frequency that differ by this factor at most
CAPITAL = 32  # from a small letter of ASCII to its capital

Bytes = NDArray[np.uint8]
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Vocabulary:
    """The words of the text, in small letters, the commonest first: word w is `data[offsets[w]:offsets[w + 1]]`."""

    data: Bytes
    offsets: Numbers
    hashes: Numbers
    """The hashes of all words, ascending."""
    ranks: Numbers
    """The word of each hash."""


def write_copies(tables: Sequence[Path], folder: Path, copies: Sequence[int]) -> None:
    """Write copies of Parquet tables with a column `text`, as `<number of the copy>/<name of the table>`.

    Args:
        copies: the numbers of the copies; each number gives other words. 0 is the text as it is.
    """
    missing = {}
    for number in copies:
        target = folder / f"{number:03}"
        if not all((target / table.name).exists() for table in tables):
            missing[number] = target
    if not missing:
        return
    vocabulary = _vocabulary(tables)
    words = {number: _swapped(len(vocabulary.ranks), number) for number in missing}
    for table in tables:
        texts: dict[int, list[pa.Array]] = {number: [] for number in missing}
        for data, offsets in _blocks(table):
            starts, stops, hashes = _find_words(data, offsets)
            ranks = vocabulary.ranks[np.searchsorted(vocabulary.hashes, hashes)]
            for number in missing:
                swapped = words[number][ranks]
                parts = _replace(data, offsets, starts, stops, swapped, vocabulary.data, vocabulary.offsets)
                texts[number].append(_as_texts(*parts))
        for number, target in missing.items():
            target.mkdir(parents=True, exist_ok=True)
            with atomic_write(target / table.name) as temporary:
                pq.write_table(pa.table({COLUMN: pa.chunked_array(texts[number])}), temporary, compression="zstd")


def _swapped(words: int, seed: int) -> Numbers:
    """For each word, the word in its place: one of like frequency. [words]"""
    places = np.arange(words)
    random = np.random.default_rng(seed)
    start = KEPT
    while seed and start < words:
        stop = min(words, int(start * SPAN))
        places[start:stop] = random.permutation(places[start:stop])
        start = stop
    return places


def _blocks(table: Path) -> Iterator[tuple[Bytes, Numbers]]:
    """The bytes and offsets of the texts of each row group."""
    with pq.ParquetFile(table) as file:
        for group in range(file.num_row_groups):
            for chunk in file.read_row_group(group, columns=[COLUMN])[COLUMN].chunks:
                yield text_bytes(chunk.cast(pa.string()).fill_null(""))


def _vocabulary(tables: Sequence[Path]) -> Vocabulary:
    known: dict[int, bytes] = {}
    counts: dict[int, int] = {}
    for table in tables:
        for data, offsets in _blocks(table):
            starts, stops, hashes = _find_words(data, offsets)
            distinct, first, count = np.unique(hashes, return_index=True, return_counts=True)
            for key, place, times in zip(distinct.tolist(), first.tolist(), count.tolist(), strict=True):
                counts[key] = counts.get(key, 0) + times
                if key not in known:
                    known[key] = data[starts[place] : stops[place]].tobytes().lower()
    commonest = sorted(counts, key=lambda key: (-counts[key], known[key]))
    data = np.frombuffer(b"".join(known[key] for key in commonest), np.uint8)
    offsets = np.cumsum([0, *(len(known[key]) for key in commonest)])
    keys = np.array(commonest, np.uint64)
    order = np.argsort(keys)
    return Vocabulary(data, offsets, keys[order], order)


def _as_texts(data: Bytes, offsets: Numbers) -> pa.Array:
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data))


@njit(cache=True)
def _find_words(data: Bytes, offsets: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """The places and hashes of all words of all texts; a word is a run of ASCII letters. Each [words]"""
    starts, stops = np.empty(len(data), np.int32), np.empty(len(data), np.int32)
    hashes = np.empty(len(data), np.uint64)
    count = 0
    for text in range(len(offsets) - 1):
        position, end = offsets[text], offsets[text + 1]
        while position < end:
            start, value = position, np.uint64(0xCBF29CE484222325)
            while position < end and np.uint8(data[position] | 32) - np.uint8(97) < 26 and data[position] < 128:
                value = (value ^ np.uint64(data[position] | 32)) * np.uint64(0x100000001B3)
                position += 1
            if position > start:
                starts[count], stops[count], hashes[count] = start, position, value
                count += 1
            else:
                position += 1
    return starts[:count].copy(), stops[:count].copy(), hashes[:count].copy()


@njit(cache=True)
def _replace(
    data: Bytes, offsets: Numbers, starts: Numbers, stops: Numbers, words: Numbers, letters: Bytes, places: Numbers
) -> tuple[Bytes, Numbers]:
    """The texts with other words in the places `starts` to `stops`; a capital at the start of a word stays one."""
    size = np.int64(len(data))
    for number in range(len(words)):
        size += places[words[number] + 1] - places[words[number]] - (stops[number] - starts[number])
    out, limits = np.empty(size, np.uint8), np.empty(len(offsets), np.int64)
    written, number = 0, 0
    limits[0] = 0
    for text in range(len(offsets) - 1):
        position, end = np.int64(offsets[text]), np.int64(offsets[text + 1])
        while position < end:
            if number < len(words) and starts[number] == position:
                word = words[number]
                capital = data[position] < 97
                for letter in range(places[word], places[word + 1]):
                    out[written] = letters[letter]
                    written += 1
                if capital:
                    out[written - (places[word + 1] - places[word])] -= CAPITAL
                position = np.int64(stops[number])
                number += 1
            else:
                out[written] = data[position]
                written += 1
                position += 1
        limits[text + 1] = written
    return out, limits
