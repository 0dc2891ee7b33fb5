"""How diverse a corpus is: distinct n-grams (Li et al. 2016), in samples of equal size, for size makes them rarer."""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain

import numpy as np
import pyarrow as pa

from textbook.words import words


def distinct_n(texts: Iterable[str], orders: int = 2) -> list[float]:
    """Distinct n-grams over all n-grams, for n from 1 to `orders`; 0 where there is no n-gram.

    An n-gram lies within one text.
    """
    vocabulary: defaultdict[str, int] = defaultdict()
    vocabulary.default_factory = vocabulary.__len__  # the next number
    flat, lengths = array("q"), array("q")
    for text in texts:
        tokens = words(text)
        flat.extend(map(vocabulary.__getitem__, tokens))
        lengths.append(len(tokens))
    ids = np.asarray(flat, np.int64)
    room = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(ids))  # words from here to the end of the text
    grams, ratios = ids, []
    for n in range(1, orders + 1):
        if n > 1:
            pairs = grams[:-1] * len(vocabulary) + ids[n - 1 :]
            grams = np.unique(pairs, return_inverse=True)[1]
        inside = grams[room[: len(grams)] >= n]
        ratios.append(float(np.count_nonzero(np.bincount(inside)) / len(inside)) if len(inside) else 0.0)
    return ratios


def matched_subset(batches: Iterable[pa.RecordBatch], unigrams: int, seed: int) -> list[str]:
    """Random texts of a corpus, without replacement, up to the one with which they have `unigrams` words.

    All of them if there are fewer. Every text draws a number, and those with the lowest are taken: one pass, and memory
    for twice the words that are wanted.

    Args:
        batches: columns of text only; texts of a pair count one by one.
    """
    chance = np.random.default_rng(seed)
    drawn: list[tuple[float, int, str]] = []  # number, words, text
    held, bar = 0, 1.0
    for texts in chain.from_iterable(batch.columns for batch in batches):
        numbers = chance.random(len(texts))
        low = np.flatnonzero(numbers < bar)
        for number, text in zip(numbers[low].tolist(), texts.take(pa.array(low)).to_pylist(), strict=True):
            size = len(words(text))
            drawn.append((number, size, text))
            held += size
        if held > 2 * unigrams:
            drawn = _lowest(drawn, unigrams)
            held, bar = sum(size for _, size, _ in drawn), drawn[-1][0]
    return [text for _, _, text in _lowest(drawn, unigrams)]


def _lowest(drawn: list[tuple[float, int, str]], unigrams: int) -> list[tuple[float, int, str]]:
    """Those with the lowest numbers, in their order, up to the one with which they have `unigrams` words."""
    drawn = sorted(drawn)
    reached = np.cumsum([size for _, size, _ in drawn])
    return drawn[: int(np.searchsorted(reached, unigrams)) + 1]
