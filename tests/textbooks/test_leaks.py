"""Evaluation sentences never reach a textbook."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.textbooks.leaks import LeakFilter, _as_bytes, _hash_words, _suspect
from textbook.words import words

NGRAM = 4
EVALUATION = ["The cast is fine, but the plot is thin.", "Dull!"]


@pytest.mark.parametrize(
    "sentence",
    [
        "The cast is fine, but the plot is thin.",
        "THE CAST IS FINE - but the plot is thin",
        "He said the cast is fine and left",
        "They agreed: but the plot is thin",
        "dull",
        "“Dull”...",
    ],
    ids=["word for word", "case and punctuation", "its beginning", "its end", "short", "short with punctuation"],
)
def test_what_repeats_evaluation_data_leaks(sentence: str) -> None:
    assert LeakFilter(EVALUATION, NGRAM).leaks(sentence)


@pytest.mark.parametrize(
    "sentence",
    ["The cast is great", "fine cast, thin plot", "A dull film", "Is the plot thin, but the cast fine?", "The cast is"],
    ids=["three words in common", "other order", "a short sentence as a part", "all its words, mixed", "a short part"],
)
def test_what_only_resembles_evaluation_data_stays(sentence: str) -> None:
    assert not LeakFilter(EVALUATION, NGRAM).leaks(sentence)


def test_no_run_of_words_spans_two_evaluation_sentences() -> None:
    assert not LeakFilter(["one two", "three four"], NGRAM).leaks("one two three four five")


def test_without_evaluation_data_nothing_leaks() -> None:
    assert not LeakFilter([], NGRAM).leaks("anything at all, however long it may be")


def runs(text: str, n: int) -> list[str]:
    tokens = words(text)
    return [f" {' '.join(tokens[start : start + n])} " for start in range(len(tokens) - n + 1)]


sentences = st.lists(st.sampled_from(["a", "b", "B", "c,", "d'e"]), max_size=10).map(" ".join)


@given(st.lists(sentences, max_size=4), sentences, st.integers(1, 5))
def test_leaks_are_the_same_words_or_a_common_run(evaluation: list[str], sentence: str, ngram: int) -> None:
    plain = [f" {' '.join(words(other))} " for other in evaluation]
    same = f" {' '.join(words(sentence))} " in plain
    common = any(run in other for run in runs(sentence, ngram) for other in plain)
    assert LeakFilter(evaluation, ngram).leaks(sentence) == (same or common)


@given(st.lists(sentences, min_size=1, max_size=4), sentences, sentences, st.data())
def test_text_around_a_long_evaluation_sentence_does_not_hide_it(
    evaluation: list[str], before: str, after: str, data: st.DataObject
) -> None:
    inside = data.draw(st.sampled_from(evaluation))
    around = f"{before} {inside} {after}"
    assert LeakFilter(evaluation, NGRAM).leaks(around) or len(words(inside)) < NGRAM


def find(evaluation: list[str], ngram: int, texts: list[str]) -> list[bool]:
    return LeakFilter(evaluation, ngram).find(pa.chunked_array([pa.array(texts, pa.string())])).tolist()


text = st.one_of(sentences, st.text("ab'’_ -.é😀İK", max_size=12), st.text(max_size=12))


@settings(deadline=None, max_examples=60)
@given(st.lists(text, max_size=4), st.lists(text, max_size=4), st.integers(1, 4))
def test_many_sentences_leak_exactly_as_one_by_one(evaluation: list[str], texts: list[str], ngram: int) -> None:
    texts = [*texts, *evaluation, *(f"x {other} y" for other in evaluation)]
    one_by_one = LeakFilter(evaluation, ngram)
    assert find(evaluation, ngram, texts) == [one_by_one.leaks(other) for other in texts]


def test_parts_of_a_larger_column_are_looked_at_as_they_are() -> None:
    column = pa.chunked_array([pa.array(["dull", "b", "Dull!"]), pa.array([], pa.string()), pa.array(["c", "dull"])])
    leaks = LeakFilter(EVALUATION, NGRAM)
    assert leaks.find(column).tolist() == [True, False, True, False, True]
    assert leaks.find(column[1:4]).tolist() == [False, True, False]
    assert leaks.find(column[:0]).tolist() == []


def count_words(text: str) -> int:
    """How many words the hashes are of; -1 where only a look at the text can say."""
    data, ends = _as_bytes(pa.array([text]))
    return _hash_words(data, 0, ends[1], np.zeros(len(data) + 1, np.int64))


@pytest.mark.parametrize("inside", [chr(code) for code in (*range(0x80), *range(0x2000, 0x2040))])
def test_hashes_are_of_the_same_words_whatever_stands_between_letters(inside: str) -> None:
    for sentence in (f"a{inside}b", f"{inside}a{inside}{inside}b{inside}", f"a'{inside}b", inside):
        assert count_words(sentence) == len(words(sentence)), ascii(sentence)


def test_only_what_may_leak_is_looked_at_twice() -> None:
    leaks = LeakFilter(EVALUATION, NGRAM)
    texts = ["Thin plot, fine cast — “great”", "THE CAST IS FINE", "dull", "A café", "the cast is dull"]
    suspects = _suspect(*_as_bytes(pa.array(texts)), NGRAM, leaks.table, 2)
    assert suspects.tolist() == [False, True, True, True, False]
