"""BM25 over a corpus without an index and without compiled code: what the search must give, to the bit."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from textbook.retrieval.hits import Hits
from textbook.words import words


def plain_search(sentences: Iterable[str], queries: Sequence[Sequence[str]], k: int, *, k1: float, b: float) -> Hits:
    """The top k sentences of each query, with scores in float32; only the words of the queries are counted."""
    ids = {word: array("q") for query in queries for word in query}
    counts = {word: array("q") for word in ids}
    lengths = array("q")
    for number, sentence in enumerate(sentences):
        tokens = words(sentence)
        lengths.append(len(tokens))
        for word, count in Counter(token for token in tokens if token in ids).items():
            ids[word].append(number)
            counts[word].append(count)
    norms = (k1 * (1 - b + b * np.asarray(lengths) / np.mean(lengths))).astype(np.float32)
    top_ids, top_scores = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
    found = np.zeros(len(queries), np.int32)
    for row, query in enumerate(queries):
        totals = np.zeros(len(norms), np.float32)
        for word in query:
            places, frequencies = np.asarray(ids[word]), np.asarray(counts[word]).astype(np.float32)
            idf = np.float32(np.log1p((len(norms) - len(places) + 0.5) / (len(places) + 0.5)))
            totals[places] += idf * (frequencies / (norms[places] + frequencies))
        hits = np.flatnonzero(totals)
        best = hits[np.argsort(-totals[hits], kind="stable")[:k]]
        top_ids[row, : len(best)], top_scores[row, : len(best)], found[row] = best, totals[best], len(best)
    return Hits(top_ids, top_scores, found)
