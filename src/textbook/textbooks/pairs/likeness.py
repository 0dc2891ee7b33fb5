"""How alike the two texts of a pair are, without their label: shared words, lengths, and the order of the words.

A student learns relations across a pair only where the teacher compares the two texts, and it compares them where they
share words. So the pairs of a textbook should be as alike as those of the task.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from textbook.words import words

Ids = NDArray[np.int32]
QUANTILES = (10, 50, 90)
OVERLAPS = (*(f"pair_overlap_p{percent}" for percent in QUANTILES), "pair_overlap_distance")
"""The figures on the word overlap of the pairs of a corpus."""
MEASURED_PAIRS = 200_000  # of a textbook, evenly spaced


@dataclass(frozen=True)
class Numbered:
    """Texts as numbers of words: text n has the words `ids[offsets[n]:offsets[n + 1]]`, below `size`."""

    ids: Ids
    offsets: NDArray[np.int64]
    size: int


@dataclass(frozen=True)
class Likeness:
    """How alike the texts of each pair are; each array has the shape [pairs].

    overlap: distinct words in both texts divided by those in either (Jaccard).
    order: share of the common words that are in the same order in both texts (longest increasing subsequence). It is 1
        with fewer than two common words.
    first, second: number of words of each text.
    """

    overlap: NDArray[np.float64]
    order: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]

    @property
    def length(self) -> NDArray[np.float64]:
        """Logarithm of the words of the second text divided by those of the first. Below 0, the first is longer."""
        return np.log(np.maximum(self.second, 1) / np.maximum(self.first, 1))


def number_words(texts: Iterable[str], numbers: dict[str, int]) -> Numbered:
    """Number the words of texts.

    Args:
        numbers: the numbers of the words so far, by word. New words are added.
    """
    ids: list[int] = []
    offsets = [0]
    for text in texts:
        ids += [numbers.setdefault(word, len(numbers)) for word in words(text)]
        offsets.append(len(ids))
    return Numbered(np.array(ids, np.int32), np.array(offsets, np.int64), len(numbers))


def likeness(first: Iterable[str], second: Iterable[str]) -> Likeness:
    """Measure the pairs of two lists of texts."""
    numbers: dict[str, int] = {}
    one, other = number_words(first, numbers), number_words(second, numbers)
    return Likeness(*_measure(one.ids, one.offsets, other.ids, other.offsets, len(numbers)))


def likeness_of_book(book: Path) -> Likeness | None:
    """Measure the pairs of a Parquet file of a task or a textbook; None if it has single sentences.

    Of more than `MEASURED_PAIRS` pairs, that many are measured, evenly spaced.
    """
    file = pq.ParquetFile(book)
    names = [name for name in ("sentence", "sentence1", "sentence2") if name in file.schema_arrow.names]
    if len(names) != 2:
        return None
    step, skipped = -(-file.metadata.num_rows // MEASURED_PAIRS) or 1, 0
    batches = []
    for batch in file.iter_batches(columns=names):
        rows = np.arange(-skipped % step, batch.num_rows, step)
        skipped += batch.num_rows
        batches.append(batch.take(pa.array(rows)))
    schema = pa.schema([file.schema_arrow.field(name) for name in names])
    first, second = pa.Table.from_batches(batches, schema).columns
    return likeness(first.to_pylist(), second.to_pylist())


def overlap_table(corpora: Mapping[str, Path], task: str) -> dict[str, dict[str, float]]:
    """The word overlap of the corpora that have pairs, by name.

    Args:
        corpora: Parquet files by name.
        task: the name of the one with the training pairs of the task.

    Returns:
        For each corpus with pairs its `OVERLAPS`: quantiles, and the Wasserstein-1 distance from those of the task, the
        mean difference of the quantiles.
    """
    measured = {name: pairs for name, path in corpora.items() if (pairs := likeness_of_book(path)) is not None}
    if task not in measured:
        return {}
    distances = {name: wasserstein_distance(measured[task].overlap, pairs.overlap) for name, pairs in measured.items()}
    return {
        name: dict(zip(OVERLAPS, (*_quantiles(pairs), round(float(distances[name]), 4)), strict=True))
        for name, pairs in measured.items()
    }


def pair_figures(task: Path, book: Path) -> dict[str, Any]:
    """The figures of a textbook of pairs: how its pairs were made, and how alike they are, beside those of the task.

    Args:
        task: the training pairs.

    Returns:
        `pairs`, and `pairs_<made>` for each value of the column `made`. `pair_overlap_p10`, `…_p50` and `…_p90` are
        quantiles of the word overlap, and `task_pair_overlap_…` those of the task. `pair_overlap_distance` is the
        Wasserstein-1 distance between the two distributions, the mean difference of their quantiles;
        `pair_overlap_ks` is the Kolmogorov-Smirnov statistic. `pair_length_distance` and `pair_order_distance` are the
        Wasserstein-1 distances of `Likeness.length` and `Likeness.order`.
    """
    wanted, made = likeness_of_book(task), likeness_of_book(book)
    assert wanted is not None, f"{task} has no pairs"
    assert made is not None, f"{book} has no pairs"
    distances = {
        f"pair_{name}_distance": wasserstein_distance(getattr(wanted, name), getattr(made, name))
        for name in ("overlap", "length", "order")
    }
    figures = {
        **{f"task_{name}": value for name, value in zip(OVERLAPS, _quantiles(wanted), strict=False)},
        **dict(zip(OVERLAPS, _quantiles(made), strict=False)),
        **{name: round(float(value), 4) for name, value in distances.items()},
        "pair_overlap_ks": round(float(ks_2samp(wanted.overlap, made.overlap).statistic), 4),
    }
    return {"pairs": pq.read_metadata(book).num_rows, **_count_made(book), **figures}


def _quantiles(pairs: Likeness) -> list[float]:
    """The `QUANTILES` of the word overlap."""
    return [round(float(value), 3) for value in np.percentile(pairs.overlap, QUANTILES)]


def _count_made(book: Path) -> dict[str, int]:
    if "made" not in pq.read_schema(book).names:
        return {}
    counts = pq.read_table(book, columns=["made"])["made"].value_counts().to_pylist()
    return {f"pairs_{row['values']}": row["counts"] for row in sorted(counts, key=lambda row: str(row["values"]))}


@njit(cache=True)
def common_order(places: Ids, count: int, tails: Ids) -> float:
    """The share of the first `count` of `places`, all distinct, in their longest increasing subsequence.

    Args:
        tails: scratch memory of at least `count` numbers.
    """
    if count < 2:
        return 1.0
    longest = 0
    for number in range(count):
        place = np.searchsorted(tails[:longest], places[number])
        tails[place] = places[number]
        longest = max(longest, place + 1)
    return longest / count


@njit(cache=True)
def compare(one: Ids, other: Ids, seen: Ids, places: Ids, tails: Ids) -> tuple[float, float]:
    """The overlap of two texts and the order of their common words.

    Args:
        seen: scratch memory with a 0 for each word, and again 0 afterwards.
        places, tails: scratch memory of at least `len(other)` numbers.
    """
    distinct = 0
    for place in range(len(one)):
        if seen[one[place]] == 0:
            seen[one[place]] = place + 1
            distinct += 1
    common = 0
    for word in other:
        if seen[word] > 0:
            places[common] = seen[word]
            common += 1
            seen[word] = -seen[word]  # counted
        elif seen[word] == 0:
            seen[word] = -len(one) - 1
            distinct += 1
    for word in one:
        seen[word] = 0
    for word in other:
        seen[word] = 0
    return common / max(distinct, 1), common_order(places, common, tails)


@njit(cache=True)
def _measure(
    one: Ids, one_offsets: NDArray[np.int64], other: Ids, other_offsets: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """The arrays of `Likeness`, in its order, of pairs of numbered texts over a vocabulary of `size` words."""
    pairs = len(one_offsets) - 1
    measured = np.empty((4, pairs), np.float64)
    longest = 1
    for number in range(pairs):
        longest = max(longest, other_offsets[number + 1] - other_offsets[number])
    seen, places, tails = np.zeros(size, np.int32), np.empty(longest, np.int32), np.empty(longest, np.int32)
    for number in range(pairs):
        first = one[one_offsets[number] : one_offsets[number + 1]]
        second = other[other_offsets[number] : other_offsets[number + 1]]
        measured[0, number], measured[1, number] = compare(first, second, seen, places, tails)
        measured[2, number], measured[3, number] = len(first), len(second)
    return measured
