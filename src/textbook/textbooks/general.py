"""The general textbook: a random sample of the corpus in random order, so that every prefix is a random sample."""

import numpy as np
from numpy.typing import NDArray


def sample(corpus_size: int, sentences: int, seed: int) -> NDArray[np.int64]:
    """Draw the ids of `sentences` random sentences out of `corpus_size`; all of them if the corpus has fewer."""
    return np.random.default_rng(seed).permutation(corpus_size)[:sentences]
