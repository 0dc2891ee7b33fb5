"""Evaluation data does not reach a textbook."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.textbooks.leaks import LeakFilter, _suspect
from textbook.word_bytes import text_bytes
from textbook.words import canonical, words

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
    ids=["verbatim", "case and punctuation", "its beginning", "its end", "short", "short with punctuation"],
)
def test_a_sentence_that_repeats_evaluation_data_leaks(sentence: str) -> None:
    assert LeakFilter(EVALUATION, NGRAM).leaks(sentence)


@pytest.mark.parametrize(
    "sentence",
    ["The cast is great", "fine cast, thin plot", "A dull film", "Is the plot thin, but the cast fine?", "The cast is"],
    ids=["three common words", "another order", "contains a short sentence", "all words, reordered", "a short part"],
)
def test_a_sentence_similar_to_evaluation_data_does_not_leak(sentence: str) -> None:
    assert not LeakFilter(EVALUATION, NGRAM).leaks(sentence)


@pytest.mark.parametrize(
    ("evaluation", "text"),
    [
        ("cafe\u0301 déjà vu", "Café  déjà\u00a0VU"),
        ("İyi bir film", "iyi BİR film"),
        ("ΚΑΛΟΣ ΛΟΓΟΣ", "καλός λόγος".replace("ό", "ο")),
        ("!!!", "!!!"),
        ("😀 👍", "😀  👍"),
        ("หนังสนุก", "หนังสนุก"),
        ("电影", "电影"),
    ],
)
def test_the_same_text_leaks_in_all_scripts(evaluation: str, text: str) -> None:
    assert canonical(evaluation) == canonical(text)
    assert LeakFilter([evaluation], NGRAM).leaks(text)
    assert find([evaluation], NGRAM, [text, "other"]) == [True, False]


@pytest.mark.parametrize(("evaluation", "text"), [("!!!", "..."), ("😀", "😡"), ("", "?")])
def test_without_words_only_the_same_text_leaks(evaluation: str, text: str) -> None:
    assert find([evaluation], NGRAM, [evaluation, text]) == [True, False]


def test_four_hindi_words_are_no_leak_of_eight() -> None:
    evaluation, sentence = "हर घर में होनी चाहिए यह किताब", "यह खाना हर घर में होनी"
    assert not LeakFilter([evaluation], 8).leaks(sentence)
    assert LeakFilter([evaluation], 4).leaks(sentence)


def test_n_grams_do_not_span_evaluation_sentences() -> None:
    assert not LeakFilter(["one two", "three four"], NGRAM).leaks("one two three four five")


def test_without_evaluation_data_nothing_leaks() -> None:
    assert not LeakFilter([], NGRAM).leaks("anything at all, however long it may be")


def ngrams(text: str, n: int) -> list[str]:
    tokens = words(text)
    return [f" {' '.join(tokens[start : start + n])} " for start in range(len(tokens) - n + 1)]


sentences = st.lists(st.sampled_from(["a", "b", "B", "c,", "d'e"]), max_size=10).map(" ".join)


@given(st.lists(sentences, max_size=4), sentences, st.integers(1, 5))
def test_a_leak_has_the_same_words_or_a_common_n_gram(evaluation: list[str], sentence: str, ngram: int) -> None:
    normalised = [f" {' '.join(words(other))} " for other in evaluation]
    same_words = f" {' '.join(words(sentence))} " in normalised
    common_ngram = any(gram in other for gram in ngrams(sentence, ngram) for other in normalised)
    assert LeakFilter(evaluation, ngram).leaks(sentence) == (same_words or common_ngram)


@given(st.lists(sentences, min_size=1, max_size=4), sentences, sentences, st.data())
def test_surrounding_text_does_not_hide_a_long_evaluation_sentence(
    evaluation: list[str], before: str, after: str, data: st.DataObject
) -> None:
    quoted = data.draw(st.sampled_from(evaluation))
    sentence = f"{before} {quoted} {after}"
    assert LeakFilter(evaluation, NGRAM).leaks(sentence) or len(words(quoted)) < NGRAM


def find(evaluation: list[str], ngram: int, texts: list[str]) -> list[bool]:
    return LeakFilter(evaluation, ngram).find(pa.chunked_array([pa.array(texts, pa.string())])).tolist()


text = st.one_of(sentences, st.text("ab'’_ -.éÉ😀İKȺⱥΣς\u0301\u00ad中がก", max_size=12), st.text(max_size=12))


@given(text)
def test_the_same_text_always_leaks(evaluation: str) -> None:
    assert find([evaluation], NGRAM, [canonical(evaluation)]) == [True]


@settings(deadline=None, max_examples=60)
@given(st.lists(text, max_size=4), st.lists(text, max_size=4), st.integers(1, 4))
def test_find_agrees_with_leaks_on_every_sentence(evaluation: list[str], texts: list[str], ngram: int) -> None:
    texts = [*texts, *evaluation, *(f"x {other} y" for other in evaluation)]
    leak_filter = LeakFilter(evaluation, ngram)
    assert find(evaluation, ngram, texts) == [leak_filter.leaks(other) for other in texts]


def test_find_handles_slices_and_empty_chunks() -> None:
    column = pa.chunked_array([pa.array(["dull", "b", "Dull!"]), pa.array([], pa.string()), pa.array(["c", "dull"])])
    leaks = LeakFilter(EVALUATION, NGRAM)
    assert leaks.find(column).tolist() == [True, False, True, False, True]
    assert leaks.find(column[1:4]).tolist() == [False, True, False]
    assert leaks.find(column[:0]).tolist() == []


def test_only_suspects_are_checked_word_by_word() -> None:
    leaks = LeakFilter(EVALUATION, NGRAM)
    texts = ["Thin plot, fine café — “great”", "THE CAST IS FINE", "dull", "हिन्दी", "the cast is dull"]
    suspects = _suspect(*text_bytes(pa.array(texts)), NGRAM, leaks.table, 2)
    assert suspects.tolist() == [False, True, True, True, False]
