"""Distinct n-grams, and samples of equal size."""

from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.textbooks.measures.diversity import distinct_n, matched_subset
from textbook.words import words

WORD = st.sampled_from(["film", "plot", "actor", "dull", "warm"])
TEXTS = st.lists(st.lists(WORD, max_size=8).map(" ".join))


def batches(texts: Sequence[str], size: int = 7) -> list[pa.RecordBatch]:
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    return [pa.record_batch({"sentence": pa.array(part, pa.string())}) for part in parts]


def count(texts: Sequence[str]) -> int:
    return sum(len(words(text)) for text in texts)


def test_distinct_n_by_hand() -> None:
    # 7 words, 4 distinct; 5 bigrams, 4 distinct: a film, film a, a film | a plot, plot twist
    assert distinct_n(["A film: a film!", "a plot twist"]) == pytest.approx([4 / 7, 4 / 5])


def test_n_grams_do_not_span_texts() -> None:
    assert distinct_n(["a", "b", "a", "b"]) == [0.5, 0]


@given(TEXTS, st.integers(1, 4))
def test_distinct_n_matches_its_definition(texts: list[str], orders: int) -> None:
    for n, ratio in enumerate(distinct_n(texts, orders), 1):
        tokens = [words(text) for text in texts]
        grams = [tuple(t[i : i + n]) for t in tokens for i in range(len(t) - n + 1)]
        assert ratio == (len(set(grams)) / len(grams) if grams else 0)
        assert 0 <= ratio <= 1


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=2))
def test_without_repetition_all_n_grams_are_distinct(numbers: list[int]) -> None:
    assert distinct_n([" ".join(map(str, numbers))]) == [1, 1]


@given(TEXTS.filter(count), st.integers(1, 60), st.integers(0, 9))
def test_a_subset_reaches_the_number_of_words_with_its_last_text(texts: list[str], unigrams: int, seed: int) -> None:
    subset = matched_subset(batches(texts), unigrams, seed)
    if count(texts) <= unigrams:
        assert count(subset) == count(texts)
    else:
        assert count(subset[:-1]) < unigrams <= count(subset)
    remaining = list(texts)
    for text in subset:  # without replacement
        remaining.remove(text)


@given(TEXTS, st.integers(1, 60), st.integers(0, 9))
def test_a_subset_does_not_depend_on_the_batches(texts: list[str], unigrams: int, seed: int) -> None:
    assert matched_subset(batches(texts, 3), unigrams, seed) == matched_subset(batches(texts, 50), unigrams, seed)


def test_another_seed_gives_another_subset() -> None:
    texts = [f"film {number}" for number in range(1000)]
    assert matched_subset(batches(texts), 100, seed=0) != matched_subset(batches(texts), 100, seed=1)


def test_all_texts_are_equally_likely() -> None:
    texts = [f"film {number}" for number in range(20)]
    drawn = [0] * len(texts)
    for seed in range(2000):
        for text in matched_subset(batches(texts, 6), 10, seed):  # 5 of the 20
            drawn[int(text.split()[1])] += 1
    assert sum(drawn) == 5 * 2000
    assert all(400 < number < 600 for number in drawn)  # expected value 500, standard deviation 19


def test_both_texts_of_a_pair_can_be_drawn() -> None:
    pairs = pa.record_batch({"sentence1": ["red car", "blue sea"], "sentence2": ["green tree", "sky"]})
    assert sorted(matched_subset([pairs], 100, seed=0)) == ["blue sea", "green tree", "red car", "sky"]
