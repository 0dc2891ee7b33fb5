"""RAKE keywords match a simple implementation of Rose et al. (2010)."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.retrieval.rake import query, rake
from textbook.retrieval.stop_words import read_stop_words
from textbook.words import words

STOP_WORDS = read_stop_words("en")
VOCABULARY = ["good", "film", "films", "plot", "don't", "actor", "Paris", "the", "of", "is", "it", "and"]
SEPARATORS = [" ", " ", " ", ", ", "... ", ' "', '..." ', " - ", "!", "\n", " 'tis", "' "]
text_of_words = st.lists(st.tuples(st.sampled_from(VOCABULARY), st.sampled_from(SEPARATORS)), max_size=25).map(
    lambda parts: "".join(word + separator for word, separator in parts)
)


def reference(text: str) -> dict[str, float]:
    """The score of each phrase. A word scores its degree in the co-occurrence graph divided by its frequency."""
    phrases: list[list[str]] = []
    for fragment in re.split(r"[,.\"!-]+|'(?= )|(?<= )'|'$", text.lower()):
        run: list[str] = []
        for token in [*fragment.split(), "the"]:
            if token not in STOP_WORDS:
                run.append(token)
            elif run:
                phrases.append(run)
                run = []
    frequency = Counter(word for phrase in phrases for word in phrase)
    graph = Counter((word, other) for phrase in phrases for word in phrase for other in phrase)
    degree = {word: sum(graph[word, other] for other in frequency) for word in frequency}
    return {" ".join(phrase): sum(degree[word] / frequency[word] for word in phrase) for phrase in phrases}


def test_the_example_of_the_paper() -> None:
    text = (
        "Compatibility of systems of linear constraints over the set of natural numbers. "
        "Criteria of compatibility of a system of linear Diophantine equations, strict inequations, "
        "and nonstrict inequations are considered."
    )
    scores = dict(rake(text, STOP_WORDS))
    assert scores["linear diophantine equations"] == pytest.approx(8.5)
    assert scores["linear constraints"] == pytest.approx(4.5)
    assert scores["strict inequations"] == scores["nonstrict inequations"] == pytest.approx(4)
    assert scores["natural numbers"] == pytest.approx(4)
    assert scores["compatibility"] == scores["systems"] == pytest.approx(1)


@given(text_of_words)
def test_scores_match_the_reference(text: str) -> None:
    assert dict(rake(text, STOP_WORDS)) == pytest.approx(reference(text))


@given(text_of_words)
def test_phrases_are_distinct_and_sorted_by_score(text: str) -> None:
    phrases, scores = [phrase for phrase, _ in rake(text, STOP_WORDS)], [score for _, score in rake(text, STOP_WORDS)]
    assert len(set(phrases)) == len(phrases)
    assert scores == sorted(scores, reverse=True)


def test_phrases_of_equal_score_keep_the_order_of_the_text() -> None:
    assert [phrase for phrase, _ in rake("a zebra and the apple or a mango", STOP_WORDS)] == ["zebra", "apple", "mango"]


@pytest.mark.parametrize("between", ['..."', "...", " -- ", '", "', "?!", " … ", "' ", " '", "_"])
def test_punctuation_of_any_length_ends_a_phrase(between: str) -> None:
    assert [phrase for phrase, _ in rake(f"splendid acting{between}tedious plot", STOP_WORDS)] == [
        "splendid acting",
        "tedious plot",
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("hi", "किताब बहुत अच्छी और सरल है, भाषा सुंदर", ["किताब", "अच्छी", "सरल", "भाषा सुंदर"]),
        ("de", "Der Ärger und die Straße", ["ärger", "straße"]),
        ("ar", "القصة جميلة جدا و الممثل رائع", ["الممثل رائع"]),
        ("zh", "电影的情节精彩，演员出色", ["情节 精彩", "演员 出色"]),
        ("fa", "او می\u200cخواهد کتاب", ["می\u200cخواهد کتاب"]),
        ("vi", "Nội dung phim và diễn viên".replace("ộ", "o\u0323\u0302"), ["diễn viên"]),
    ],
)
def test_phrases_in_other_scripts(language: str, text: str, expected: list[str]) -> None:
    phrases = [phrase for phrase, _ in rake(text, read_stop_words(language))]
    assert [phrase for phrase in expected if phrase not in phrases] == []
    assert read_stop_words(language).isdisjoint(word for phrase in phrases for word in phrase.split())


def test_an_apostrophe_inside_a_word_does_not_end_a_phrase() -> None:
    assert [phrase for phrase, _ in rake("Hitchcock’s finest film", STOP_WORDS)] == ["hitchcock's finest film"]


@given(st.one_of(text_of_words, st.text()), st.integers(1, 5))
def test_a_query_has_stop_words_only_if_the_text_has_no_other_words(text: str, phrases: int) -> None:
    keywords, fell_back = query(text, phrases, STOP_WORDS)
    assert set(keywords) <= set(words(text))
    assert fell_back == all(word in STOP_WORDS for word in words(text))
    if fell_back:
        assert keywords == words(text)
    else:
        assert keywords
        assert STOP_WORDS.isdisjoint(keywords)


@given(text_of_words, st.integers(1, 5))
def test_a_query_consists_of_the_best_phrases(text: str, phrases: int) -> None:
    keywords, fell_back = query(text, phrases, STOP_WORDS)
    if not fell_back:
        assert " ".join(keywords) == " ".join(phrase for phrase, _ in rake(text, STOP_WORDS)[:phrases])


@pytest.mark.parametrize("text", ["It is what it is.", "Who are you?", "..."])
def test_an_anchor_without_keywords_falls_back_to_all_its_words(text: str) -> None:
    assert query(text, 20, STOP_WORDS) == (words(text), True)
