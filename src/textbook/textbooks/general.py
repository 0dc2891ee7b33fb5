"""The general textbook: a random sample of the corpus, in random order, so that a prefix is a sample too."""

import numpy as np
from numpy.typing import NDArray


def sample(corpus_size: int, sentences: int, seed: int) -> NDArray[np.int64]:
    """The ids of `sentences` random sentences out of `corpus_size`, or of all if there are fewer."""
    return np.random.default_rng(seed).permutation(corpus_size)[:sentences]
