"""Shingles are hashed as their words are, and similar sentences meet in a band as often as theory says."""

import random
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_shingles import shingles_of

from textbook.corpus.shingles import FOUND, Bands, band_keys, chance, choose_bands, hash_shingles

text = st.text() | st.text("ab é!'’İ😀हिन्दी中文", max_size=12)  # with characters that the compiled code does not know


def hashed(sentences: list[str], length: int) -> list[list[int]]:
    hashes, offsets = hash_shingles(pa.array(sentences, pa.string()), length)
    assert offsets[0] == 0
    assert offsets[-1] == len(hashes)
    return [hashes[start:stop].tolist() for start, stop in pairwise(offsets)]


@given(st.lists(text, max_size=6), st.integers(1, 4))
def test_hashes_stand_for_shingles_one_for_one(sentences: list[str], length: int) -> None:
    rows = hashed(sentences, length)
    sets = [shingles_of(sentence, length) for sentence in sentences]
    assert [len(row) for row in rows] == [len(one) for one in sets]
    assert all(row == sorted(set(row)) for row in rows)
    for row, one in zip(rows, sets, strict=True):
        for other_row, other in zip(rows, sets, strict=True):
            assert len({*row} & {*other_row}) == len(one & other)


def test_a_slice_of_a_column_has_the_shingles_of_its_own_sentences() -> None:
    column = pa.array(["one two three", "four five six", "中文 seven"], pa.string())
    whole, offsets = hash_shingles(column, 2)
    part, part_offsets = hash_shingles(column[1:], 2)
    assert part.tolist() == whole[offsets[1] :].tolist()
    assert part_offsets.tolist() == (offsets[1:] - offsets[1]).tolist()


@pytest.mark.parametrize(
    ("threshold", "hashes", "expected"),
    [
        (0.5, 128, Bands(42, 3)),
        (0.8, 128, Bands(18, 7)),
        (0.9, 128, Bands(11, 11)),
        (1.0, 128, Bands(1, 128)),
        (0.8, 64, Bands(12, 5)),
    ],
)
def test_bands_are_as_long_as_still_finds_the_pairs_at_the_threshold(
    threshold: float, hashes: int, expected: Bands
) -> None:
    bands = choose_bands(threshold, hashes)
    assert bands == expected
    assert chance(threshold, bands) >= FOUND
    longer = Bands(hashes // (bands.rows + 1), bands.rows + 1)
    assert longer.count == 0 or chance(threshold, longer) < FOUND


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8])
def test_keys_meet_as_often_as_the_similarity_says(similarity: float) -> None:
    """Sets of 20 shingles, as sentences have them; there are fewer than MinHash numbers."""
    rng = random.Random(0)
    pairs, common = 2_000, round(40 * similarity / (1 + similarity))
    sets = []
    for _ in range(pairs):
        both = [rng.getrandbits(63) for _ in range(common)]
        for _ in range(2):
            sets.append(sorted([*both, *(rng.getrandbits(63) for _ in range(20 - common))]))
    offsets = np.arange(0, 20 * len(sets) + 1, 20)
    bands = Bands(18, 3)
    keys = band_keys(np.array(sets, np.int64).ravel(), offsets, bands)
    assert keys.shape == (18, len(sets))
    share = (keys[:, ::2] == keys[:, 1::2]).mean()  # of all bands of all pairs
    assert share == pytest.approx((common / (40 - common)) ** 3, abs=0.02)


def test_keys_depend_on_the_set_alone() -> None:
    hashes, offsets = hash_shingles(pa.array(["a b c d", "x y", "A, b c -- d!"], pa.string()), 2)
    keys = band_keys(hashes, offsets, Bands(4, 3))
    assert (keys[:, 0] == keys[:, 2]).all()
    assert (keys[:, 0] != keys[:, 1]).all()
    alone, own = hash_shingles(pa.array(["x y"], pa.string()), 2)
    assert band_keys(alone, own, Bands(4, 3))[:, 0].tolist() == keys[:, 1].tolist()
