"""The most frequent words of a corpus, and their overlap between two corpora (Gururangan et al. 2020)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from textbook.words import words

TOP_WORDS = 5_000
DISTINCT_WORDS = 8_000_000  # maximum number of counters, about 1 GB
BATCH_ROWS = 65_536
TEXT_COLUMNS = ("sentence", "sentence1", "sentence2")


@dataclass(frozen=True)
class Extent:
    """Statistics of the first rows of a corpus: `cases` (rows), `words` (tokens), and the most frequent words, `top`.

    `bytes` is the size as plain text in UTF-8, one text per line.
    """

    cases: int
    words: int
    bytes: int
    top: frozenset[str]


def read_texts(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the text columns of a Parquet file of a task or a textbook, one batch of rows at a time."""
    file = pq.ParquetFile(path)
    columns = [name for name in TEXT_COLUMNS if name in file.schema_arrow.names]
    yield from file.iter_batches(BATCH_ROWS, columns=columns)


def count_vocabulary(
    batches: Iterable[pa.RecordBatch],
    ends: Sequence[int],
    stop_words: frozenset[str],
    *,
    top_words: int = TOP_WORDS,
    distinct_words: int = DISTINCT_WORDS,
) -> list[Extent]:
    """Measure a corpus up to each of `ends` in one pass.

    Args:
        batches: batches of text columns only, with at least `ends[-1]` rows in total; the two texts of a pair count
            separately.
        ends: numbers of rows in ascending order.
        stop_words: the words that `Extent.top` excludes.
        top_words: size of `Extent.top`; ties are in alphabetical order.
        distinct_words: bounds memory. When there are more distinct words, the rarest half is dropped, which does not
            affect words that are frequent in the whole corpus (lossy counting, Manku and Motwani 2002).

    Returns:
        One `Extent` for each of `ends`.
    """
    counts: dict[str, int] = {}
    cases = total = size = 0
    extents: list[Extent] = []
    for batch in batches:
        while len(extents) < len(ends):  # split the batch where an extent ends
            part = batch[: ends[len(extents)] - cases]
            cases += part.num_rows
            for texts in part.columns:
                total += _count(texts, counts)
                size += len(texts) + (pc.sum(pc.binary_length(texts)).as_py() or 0)
            if len(counts) > distinct_words:
                _drop_rarest(counts, distinct_words // 2)
            if cases < ends[len(extents)]:
                break
            extents.append(Extent(cases, total, size, _top(counts, top_words, stop_words)))
            batch = batch[part.num_rows :]
    assert len(extents) == len(ends), f"the corpus has {cases} rows, fewer than {ends[-1]}"
    return extents


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """The number of words that two vocabularies share, in percent of the larger one."""
    larger = max(len(a), len(b))
    return 100 * len(a & b) / larger if larger else 100.0


def _count(texts: pa.StringArray, counts: dict[str, int]) -> int:
    """Add the words of `texts` to `counts` and return their number.

    Words contain no white space, so Arrow splits the texts at white space and counts the distinct chunks. Only distinct
    chunks are split into words in Python.
    """
    chunks = pc.value_counts(pc.list_flatten(pc.utf8_split_whitespace(texts)))
    total = 0
    for chunk, count in zip(chunks.field(0).to_pylist(), chunks.field(1).to_pylist(), strict=True):
        for word in words(chunk):
            counts[word] = counts.get(word, 0) + count
            total += count
    return total


def _drop_rarest(counts: dict[str, int], keep: int) -> None:
    """Drop the rarest words so that at most `keep` are left."""
    threshold = np.partition(np.fromiter(counts.values(), np.int64, len(counts)), -keep - 1)[-keep - 1]
    for word in [word for word, count in counts.items() if count <= threshold]:
        del counts[word]


def _top(counts: dict[str, int], size: int, stop_words: frozenset[str]) -> frozenset[str]:
    ranked = ((-count, word) for word, count in counts.items() if word not in stop_words)
    return frozenset(word for _, word in nsmallest(size, ranked))
