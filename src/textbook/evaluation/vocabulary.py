"""The words of a corpus, and how many of the most frequent ones two corpora share (Gururangan et al. 2020)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from textbook.retrieval.rake import STOP_WORDS
from textbook.words import words

TOP_WORDS = 5_000
DISTINCT_WORDS = 8_000_000  # counted at once: some 1 GB
BATCH_ROWS = 65_536
TEXT_COLUMNS = ("sentence", "sentence1", "sentence2")


@dataclass(frozen=True)
class Extent:
    """What a corpus holds up to some row: `cases` (rows), `words` (repeated ones too), and its most frequent words.

    `bytes` is the size as plain text in UTF-8, one text a line.
    """

    cases: int
    words: int
    bytes: int
    top: frozenset[str]


def read_texts(path: Path) -> Iterator[pa.RecordBatch]:
    """The text columns of a Parquet file of a task or a textbook, a batch of rows at a time."""
    file = pq.ParquetFile(path)
    columns = [name for name in TEXT_COLUMNS if name in file.schema_arrow.names]
    yield from file.iter_batches(BATCH_ROWS, columns=columns)


def measure(
    batches: Iterable[pa.RecordBatch],
    ends: Sequence[int],
    *,
    top_words: int = TOP_WORDS,
    distinct_words: int = DISTINCT_WORDS,
) -> list[Extent]:
    """What a corpus holds up to each of `ends`, which are numbers of rows in ascending order, in one pass.

    Args:
        batches: columns of text only, with at least `ends[-1]` rows together; texts of a pair count one by one.
        top_words: how many words, stop words left out, are the most frequent; ties in alphabetical order.
        distinct_words: memory is bounded by so many. Past it the rarest half is forgotten, which no word that is
            frequent in the whole corpus notices (lossy counting, Manku and Motwani 2002).
    """
    counts: dict[str, int] = {}
    cases = total = size = 0
    extents: list[Extent] = []
    for batch in batches:
        while len(extents) < len(ends):  # cut the batch where an extent ends
            part = batch[: ends[len(extents)] - cases]
            cases += part.num_rows
            for texts in part.columns:
                total += _count(texts, counts)
                size += len(texts) + (pc.sum(pc.binary_length(texts)).as_py() or 0)
            if len(counts) > distinct_words:
                _forget(counts, distinct_words // 2)
            if cases < ends[len(extents)]:
                break
            extents.append(Extent(cases, total, size, _top(counts, top_words)))
            batch = batch[part.num_rows :]
    assert len(extents) == len(ends), f"{cases} rows are fewer than {ends[-1]}"
    return extents


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """The share of common words of two vocabularies, in percent of the larger one."""
    larger = max(len(a), len(b))
    return 100 * len(a & b) / larger if larger else 100.0


def _count(texts: pa.StringArray, counts: dict[str, int]) -> int:
    """Add the words of `texts` to `counts`, and give their number.

    White space stands in no word, so Arrow may split at it, and only what is distinct is taken apart in Python.
    """
    chunks = pc.value_counts(pc.list_flatten(pc.utf8_split_whitespace(texts)))
    total = 0
    for chunk, number in zip(chunks.field(0).to_pylist(), chunks.field(1).to_pylist(), strict=True):
        for word in words(chunk):
            counts[word] = counts.get(word, 0) + number
            total += number
    return total


def _forget(counts: dict[str, int], keep: int) -> None:
    """Drop the rarest words, so that at most `keep` are left."""
    bar = np.partition(np.fromiter(counts.values(), np.int64, len(counts)), -keep - 1)[-keep - 1]
    for word in [word for word, number in counts.items() if number <= bar]:
        del counts[word]


def _top(counts: dict[str, int], size: int) -> frozenset[str]:
    ranked = ((-number, word) for word, number in counts.items() if word not in STOP_WORDS)
    return frozenset(word for _, word in nsmallest(size, ranked))
