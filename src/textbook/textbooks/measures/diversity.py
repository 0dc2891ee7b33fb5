"""Diversity of a corpus: the share of distinct n-grams (Li et al. 2016).

The share falls with the size of a corpus, so corpora are compared on samples of equal size.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain

import numpy as np
import pyarrow as pa

from textbook.words import words


def distinct_n(texts: Iterable[str], orders: int = 2) -> list[float]:
    """Number of distinct n-grams divided by the number of all n-grams, for n from 1 to `orders`.

    N-grams do not span texts. The ratio is 0 if there are no n-grams.
    """
    vocabulary: defaultdict[str, int] = defaultdict()
    vocabulary.default_factory = vocabulary.__len__  # numbers new words consecutively
    word_numbers, lengths = array("q"), array("q")
    for text in texts:
        tokens = words(text)
        word_numbers.extend(map(vocabulary.__getitem__, tokens))
        lengths.append(len(tokens))
    ids = np.asarray(word_numbers, np.int64)
    remaining = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(ids))  # words up to the end of the text
    grams, ratios = ids, []
    for n in range(1, orders + 1):
        if n > 1:
            pairs = grams[:-1] * len(vocabulary) + ids[n - 1 :]
            grams = np.unique(pairs, return_inverse=True)[1]
        inside = grams[remaining[: len(grams)] >= n]
        ratios.append(float(np.count_nonzero(np.bincount(inside)) / len(inside)) if len(inside) else 0.0)
    return ratios


def matched_subset(batches: Iterable[pa.RecordBatch], unigrams: int, seed: int) -> list[str]:
    """Sample texts without replacement until they have at least `unigrams` words; all texts if there are fewer words.

    Every text draws a random key, and the texts with the lowest keys are the sample. This takes one pass, and memory
    for about twice the sample.

    Args:
        batches: batches of text columns only; the two texts of a pair are sampled independently.
    """
    rng = np.random.default_rng(seed)
    drawn: list[tuple[float, int, str]] = []  # key, number of words, text
    drawn_words, threshold = 0, 1.0
    for texts in chain.from_iterable(batch.columns for batch in batches):
        keys = rng.random(len(texts))
        low = np.flatnonzero(keys < threshold)
        for key, text in zip(keys[low].tolist(), texts.take(pa.array(low)).to_pylist(), strict=True):
            size = len(words(text))
            drawn.append((key, size, text))
            drawn_words += size
        if drawn_words > 2 * unigrams:
            drawn = _lowest(drawn, unigrams)
            drawn_words, threshold = sum(size for _, size, _ in drawn), drawn[-1][0]
    return [text for _, _, text in _lowest(drawn, unigrams)]


def _lowest(drawn: list[tuple[float, int, str]], unigrams: int) -> list[tuple[float, int, str]]:
    """The texts with the lowest keys, in order of key, until they have at least `unigrams` words."""
    drawn = sorted(drawn)
    totals = np.cumsum([size for _, size, _ in drawn])
    return drawn[: int(np.searchsorted(totals, unigrams)) + 1]
