"""The general textbook is a random sample."""

import numpy as np
import pytest

from textbook.textbooks.general import sample


@pytest.mark.parametrize(("size", "sentences", "expected"), [(50, 20, 20), (50, 50, 50), (50, 80, 50), (1, 1, 1)])
def test_sampling_is_without_replacement_and_limited_to_the_corpus(size: int, sentences: int, expected: int) -> None:
    ids = sample(size, sentences, seed=0)
    assert len(ids) == len(set(ids.tolist())) == expected
    assert ids.min() >= 0
    assert ids.max() < size


def test_the_sample_depends_only_on_the_seed() -> None:
    assert sample(100, 30, 1).tolist() == sample(100, 30, 1).tolist()
    assert sample(100, 30, 1).tolist() != sample(100, 30, 2).tolist()


def test_a_smaller_sample_is_a_prefix_of_a_larger_one() -> None:
    assert sample(100, 10, 0).tolist() == sample(100, 60, 0)[:10].tolist()


def test_the_sample_covers_all_parts_of_the_corpus() -> None:
    drawn = np.bincount(sample(10_000, 2_000, 0) // 1_000, minlength=10)
    assert (drawn > 150).all(), f"200 expected from each tenth of the corpus: {drawn}"
