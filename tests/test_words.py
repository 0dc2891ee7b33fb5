"""Splitting text into words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.words import words


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
