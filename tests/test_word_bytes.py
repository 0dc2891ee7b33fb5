"""Counting and hashing words on bytes agrees with splitting into words."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.word_bytes import APOSTROPHE, KINDS, LIMIT, UNKNOWN, count_words, hash_words, text_bytes
from textbook.words import SIMPLE, words


def hash_of(text: str) -> tuple[int, int]:
    """The number of words, or -1 if the text cannot be hashed, and the hash of all words."""
    data, offsets = text_bytes(pa.array([text]))
    sums = np.zeros(len(data) + 1, np.int64)
    count = hash_words(data, 0, offsets[1], sums)
    return count, int(sums[max(count, 0)])


@pytest.mark.parametrize("template", ["a{}b", "{0}a{0}{0}b{0}", "a'{}b", "a{}'b", "{}"])
def test_every_character_divides_words_as_in_the_words_function(template: str) -> None:
    texts = [template.format(chr(code)) for code in range(LIMIT)]
    assert count_words(pa.array(texts)).tolist() == [len(words(text)) for text in texts]


def test_letters_are_hashed_in_lower_case() -> None:
    letters = KINDS[KINDS > APOSTROPHE]
    assert (KINDS[letters] == letters).all()
    codes = np.flatnonzero(KINDS > APOSTROPHE)
    assert [[chr(KINDS[code])] for code in codes] == [words(chr(code)) for code in codes]


def test_only_characters_of_simple_text_are_known() -> None:
    assert not any(SIMPLE.fullmatch(chr(code)) is None for code in np.flatnonzero(KINDS != UNKNOWN))
    assert "".join(map(chr, np.flatnonzero(KINDS[:0x300] == UNKNOWN))) == "\u00adȺȾ"  # all other Latin is fast


@given(st.lists(st.text() | st.text("aB1'’_ -\u2028é\u0301\u00ad中กि"), max_size=5), st.integers(0, 3))
def test_counts_are_those_of_the_words_function(texts: list[str], start: int) -> None:
    column = pa.array(texts, pa.string())[start:]
    assert count_words(column).tolist() == [len(words(text)) for text in texts[start:]]


@given(st.text("aB'’_ -éÉ"))
def test_equal_words_have_equal_hashes(text: str) -> None:
    assert hash_of(text) == hash_of(" ".join(words(text)))


def test_other_words_have_other_hashes() -> None:
    texts = ["a b", "b a", "ab", "a", "a'b", "a b a", "é", "e", ""]
    assert len({hash_of(text) for text in texts}) == len(texts)
