"""Counting the words of a corpus in one pass, and the overlap of two vocabularies."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.retrieval.stop_words import read_stop_words
from textbook.textbooks.measures.vocabulary import Extent, count_vocabulary, overlap, read_texts
from textbook.words import words

STOP_WORDS = read_stop_words("en")

VOCABULARIES = st.frozensets(st.text(min_size=1, max_size=3), max_size=20)


def batches(texts: Sequence[str], size: int) -> list[pa.RecordBatch]:
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    return [pa.record_batch({"sentence": pa.array(part, pa.string())}) for part in parts]


def test_the_extents_of_a_corpus_by_hand() -> None:
    texts = ["The film, a FILM!", "film and plot", "plot plot plot é"]
    assert count_vocabulary(batches(texts, 2), [1, 3], STOP_WORDS, top_words=2) == [
        Extent(cases=1, words=4, bytes=18, top=frozenset({"film"})),
        Extent(cases=3, words=11, bytes=18 + 14 + 18, top=frozenset({"film", "plot"})),
    ]


def test_stop_words_are_not_among_the_most_frequent_words() -> None:
    (extent,) = count_vocabulary(batches(["the the the it's don't is of film"], 1), [1], STOP_WORDS)
    assert extent.top == {"film"}
    assert extent.words == 8


def test_ties_are_broken_in_alphabetical_order() -> None:
    (extent,) = count_vocabulary(batches(["pear fig apple fig cherry"], 1), [1], STOP_WORDS, top_words=3)
    assert extent.top == {"fig", "apple", "cherry"}


def test_both_sentences_of_a_pair_count(tmp_path: Path) -> None:
    rows = {"sentence1": ["red car", "blue"], "sentence2": ["green tree", "sky"], "label": [0, 1]}
    pq.write_table(pa.table(rows), tmp_path / "pairs.parquet")
    (extent,) = count_vocabulary(read_texts(tmp_path / "pairs.parquet"), [2], STOP_WORDS)
    assert (extent.cases, extent.words, extent.bytes) == (2, 6, 8 + 5 + 11 + 4)
    assert extent.top == {"red", "car", "blue", "green", "tree", "sky"}


@given(st.lists(st.text() | st.text("aΣσ'’ \n\u2003\u200b.-_é"), min_size=1), st.integers(1, 5), st.data())
def test_counts_in_batches_match_those_of_every_text(texts: list[str], size: int, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.lists(st.integers(1, len(texts)), min_size=1)))
    extents = count_vocabulary(batches(texts, size), ends, STOP_WORDS, top_words=10**6)
    for end, extent in zip(ends, extents, strict=True):
        counts = Counter(word for text in texts[:end] for word in words(text))
        assert extent.cases == end
        assert extent.words == counts.total()
        assert extent.bytes == sum(len(text.encode()) + 1 for text in texts[:end])
        (single_batch,) = count_vocabulary(batches(texts[:end], len(texts)), [end], STOP_WORDS, top_words=10**6)
        assert extent == single_batch
        assert extent.top <= set(counts)


def test_the_most_frequent_words_are_exact_with_bounded_memory() -> None:
    # Word n occurs in every (n + 1)-th text, and each text has a word that occurs only once.
    texts = [
        " ".join([f"rare{number}", *(f"w{n}" for n in range(30) if number % (n + 1) == 0)]) for number in range(2000)
    ]
    exact = count_vocabulary(batches(texts, 50), [1000, 2000], STOP_WORDS, top_words=20)
    assert count_vocabulary(batches(texts, 50), [1000, 2000], STOP_WORDS, top_words=20, distinct_words=100) == exact


@given(st.lists(st.integers(0, 400), min_size=1), st.integers(4, 50))
def test_the_number_of_words_in_memory_is_bounded(numbers: list[int], bound: int) -> None:
    texts = [f"w{number}" for number in numbers]
    (extent,) = count_vocabulary(batches(texts, 1), [len(texts)], STOP_WORDS, distinct_words=bound)
    assert len(extent.top) <= bound
    assert extent.words == len(texts)
    if len(set(numbers)) <= bound:
        assert extent.top == set(texts)


def test_too_few_rows_are_an_error() -> None:
    with pytest.raises(AssertionError, match="the corpus has 1 rows, fewer than 2"):
        count_vocabulary(batches(["film"], 1), [2], STOP_WORDS)


def test_overlap_by_hand() -> None:
    assert overlap(frozenset("abcd"), frozenset("cdef")) == 50
    assert overlap(frozenset("abcd"), frozenset("a")) == 25
    assert overlap(frozenset("ab"), frozenset("cd")) == 0


@given(VOCABULARIES, VOCABULARIES)
def test_overlap_is_a_symmetric_percentage(a: frozenset[str], b: frozenset[str]) -> None:
    assert overlap(a, b) == overlap(b, a)
    assert 0 <= overlap(a, b) <= 100
    assert overlap(a, a) == 100
    assert (overlap(a, b) == 100) == (a == b)
