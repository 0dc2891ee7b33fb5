"""Evaluation sentences never reach a textbook."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.textbooks.leaks import LeakFilter
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
