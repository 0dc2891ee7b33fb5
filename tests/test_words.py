"""Splitting text into words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.words import canonical, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A gripping film", ["a", "gripping", "film"]),
        ("don't", ["don't"]),
        ("don’t", ["don't"]),  # a typographic apostrophe does not change the word
        ("rock'n'roll", ["rock'n'roll"]),
        ("the dogs' 'quoted' tails", ["the", "dogs", "quoted", "tails"]),
        ("well-made, half_baked", ["well", "made", "half", "baked"]),
        ("2001: a space odyssey", ["2001", "a", "space", "odyssey"]),
        ("Amélie ÜBER naïve", ["amélie", "über", "naïve"]),
        ("... !? --", []),
        ("", []),
    ],
)
def test_words_are_split_and_lower_cased(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_splitting_again_changes_nothing(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once


@given(st.lists(st.text("abcé'’", min_size=1).filter(words)), st.sampled_from([" ", "\n", ", ", " - ", "_"]))
def test_separators_do_not_matter(parts: list[str], separator: str) -> None:
    assert words(separator.join(parts)) == [word for part in parts for word in words(part)]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Cafe\u0301 noir", "caf\u00e9 NOIR"),
        ("two\u00a0 blanks\u3000\there ", "two blanks here"),
        ("J\u030c", "\u01f0"),  # the lower case is composed
        ("İyi", "iyi"),
        ("I\u0307yi", "iyi"),
        ("हिन्दी ", "हिन्दी"),
    ],
)
def test_composition_blanks_and_case_do_not_change_a_text(text: str, same: str) -> None:
    assert canonical(text) == canonical(same)


@pytest.mark.parametrize(("text", "other"), [("Maße", "Masse"), ("ab", "a b"), ("a-b", "a b"), ("wow!", "wow")])
def test_letters_and_punctuation_distinguish_texts(text: str, other: str) -> None:
    assert canonical(text) != canonical(other)


@given(st.text() | st.text("aIİi\u0307\u0323J\u030c \n\u00a0Σσς"))
def test_a_canonical_text_is_its_own_canonical_form(text: str) -> None:
    form = canonical(text)
    assert canonical(form) == form == unicodedata.normalize("NFC", form)
    assert canonical(unicodedata.normalize("NFD", text)) == form
