"""Stop words of the language of the corpus."""

import pytest
from bm25s.stopwords import STOPWORDS_EN_PLUS

from textbook.errors import UserError
from textbook.retrieval.stop_words import read_stop_words
from textbook.words import words

LANGUAGES = "ar bg ca cs da de el es fa fi fr he hi hu id it ja ko lt nl no pl pt ro ru sv th tr uk ur vi zh"


def test_english_has_the_list_of_nltk() -> None:
    assert read_stop_words("en") == frozenset(STOPWORDS_EN_PLUS)


@pytest.mark.parametrize("language", [*LANGUAGES.split(), "nb", "nn"])
def test_stop_words_are_spelled_like_words(language: str) -> None:
    stop_words = read_stop_words(language)
    assert len(stop_words) > 30
    assert all(words(word) == [word] for word in stop_words)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "und"),
        ("hi", "और"),
        ("ar", "في"),
        ("vi", "và"),
        ("zh", "的"),
        ("ja", "です"),
        ("th", "และ"),
        ("tr", "İçin"),
    ],
)
def test_common_words_are_stop_words(language: str, text: str) -> None:
    assert set(words(text)) <= read_stop_words(language)


@pytest.mark.parametrize(
    ("language", "problem"),
    [("ta", "has no list of stop words"), ("km", "Khmer, which is written without spaces, is not supported")],
)
def test_a_language_without_stop_words_is_refused_with_those_that_have_some(language: str, problem: str) -> None:
    with pytest.raises(
        UserError, match=f"^corpus.language = '{language}': {problem}; must be one of af, ar, .*, zh, zu$"
    ):
        read_stop_words(language)
