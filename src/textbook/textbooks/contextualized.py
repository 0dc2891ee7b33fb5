"""The contextualized corpus (paper, section 2.1): the most relevant corpus sentences for every task sentence.

The task sentences are called anchors. The corpus has no duplicates, so the hits of all anchors can be merged by id
instead of by text. Memory holds the hits of one batch of anchors, and 20 bytes for each distinct sentence retrieved so
far; it does not grow with the corpus.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from textbook.errors import UserError
from textbook.retrieval.hits import Hits, SearchIndex
from textbook.retrieval.rake import query

BATCH_HITS = 1 << 24  # of the anchors of a batch; searching and merging take at most about 100 bytes for each
_LARGEST = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Merged:
    """The merged search results of all anchors, with up to `k` sentences retrieved per anchor.

    `ids` (ascending), `rank`, `score` and `anchor` have the shape [distinct sentences retrieved]. `rank` is the best
    rank of the sentence over all anchors, counted from 1. `score` is the highest score at that rank. `anchor` is the
    number of the first anchor that retrieved the sentence with this rank and score.

    `sentences` is the size of the corpus, and `hits` the total number of hits. `without_keywords` and `without_hits`
    count the anchors that have none.
    """

    k: int
    ids: NDArray[np.int64]
    rank: NDArray[np.int32]
    score: NDArray[np.float32]
    anchor: NDArray[np.int32]
    sentences: int
    hits: int
    without_keywords: int
    without_hits: int

    @property
    def distinct(self) -> int:
        """Number of distinct sentences retrieved."""
        return len(self.ids)

    def relevance(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Rank and score of retrieved sentences, in the order of their ids."""
        places = self._find(ids)
        return self.rank[places], self.score[places]

    def order(self, k: int | None = None) -> NDArray[np.int64]:
        """Ids of the sentences of rank k or better, ordered by rank, score and id: the most relevant come first."""
        ids = self.ids[self.rank <= (k or self.k)]
        return ids[self._by_relevance(ids)]

    def grouped(self, k: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Group the sentences of rank k or better by anchor.

        Returns:
            Ids of the sentences, ordered by anchor, rank, score and id, and the anchor of each.
        """
        ids = self.order(k)
        anchors = self.anchor[self._find(ids)]
        by_anchor = np.argsort(anchors, kind="stable")
        return ids[by_anchor], anchors[by_anchor]

    def pairs(self, k: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pair the sentences of rank k or better that share an anchor.

        A sentence is in at most one pair. If an anchor has an odd number of sentences, the last one is left out.

        Returns:
            Ids of the first and of the second sentence of each pair, ordered by rank, score and id of the first.
        """
        ids, anchors = self.grouped(k)
        position = np.arange(len(ids)) - np.searchsorted(anchors, anchors)  # within the group
        firsts = np.flatnonzero((position[:-1] % 2 == 0) & (anchors[:-1] == anchors[1:]))
        firsts = firsts[self._by_relevance(ids[firsts])]
        return ids[firsts], ids[firsts + 1]

    def _by_relevance(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Indices that sort `ids` by rank, score and id."""
        rank, score = self.relevance(ids)
        return np.lexsort((ids, -score, rank))

    def _find(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where retrieved sentences are in `ids`, `rank`, `score` and `anchor`."""
        return np.searchsorted(self.ids, ids)


def retrieve(
    index: SearchIndex,
    anchors: Sequence[str],
    *,
    k: int,
    phrases: int,
    stop_words: frozenset[str],
) -> Merged:
    """Retrieve the top k sentences of every anchor and merge them.

    Args:
        phrases: number of keyword phrases per anchor that make up its query.
        stop_words: the stop words of the language of the anchors.
    """
    best = _Best(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))
    searched = total_hits = without_keywords = without_hits = 0
    batch = max(1, BATCH_HITS // max(1, min(k, index.sentences)))
    with tqdm(total=len(anchors), desc="retrieve", unit="anchor") as progress:
        for hits, fallbacks in _search(index, anchors, k, phrases, stop_words, batch):
            best = _merge(best, hits, searched)
            searched += len(hits.counts)
            total_hits += int(hits.counts.sum())
            without_hits += int((hits.counts == 0).sum())
            without_keywords += fallbacks
            progress.update(len(hits.counts))
    rank, score = (best.keys >> 32).astype(np.int32), (_LARGEST - (best.keys & _LARGEST)).astype(np.int32)
    return Merged(
        k,
        best.ids,
        rank,
        score.view(np.float32),
        best.anchors,
        index.sentences,
        total_hits,
        without_keywords,
        without_hits,
    )


def blend(merged: Merged, share: float, seed: int = 0) -> Merged:
    """Replace a share of the retrieved sentences by random ones that no anchor retrieved.

    A random sentence has the rank, the score and the anchor of the one whose place it takes.

    Raises:
        UserError: the corpus has too few other sentences.
    """
    count, others = round(share * merged.distinct), merged.sentences - merged.distinct
    if count > others:
        raise UserError(
            f"textbooks.contextualized.blend = {share:g}: replaces {count:,} sentences, but the corpus has only"
            f" {others:,} that were not retrieved; use a smaller blend, a smaller k or a larger corpus"
        )
    random = np.random.default_rng(seed)
    out = np.searchsorted(merged.ids, random.choice(merged.order(), count, replace=False))
    into = random.choice(others, count, replace=False)  # numbers among the others, in order of id
    others_before = merged.ids - np.arange(merged.distinct)
    ids = merged.ids.copy()
    ids[out] = into + np.searchsorted(others_before, into, side="right")
    order = np.argsort(ids)
    return replace(
        merged, ids=ids[order], rank=merged.rank[order], score=merged.score[order], anchor=merged.anchor[order]
    )


def _search(
    index: SearchIndex, anchors: Sequence[str], k: int, phrases: int, stop_words: frozenset[str], batch: int
) -> Iterator[tuple[Hits, int]]:
    """Yield the hits of each batch of anchors, and how many of the anchors have no keywords.

    A batch is searched while the caller merges the previous one and the queries of the next one are built.
    """
    with ThreadPoolExecutor(1) as executor:
        pending = None
        for start in range(0, len(anchors), batch):
            queries = [query(anchor, phrases, stop_words) for anchor in anchors[start : start + batch]]
            search = executor.submit(index.search, [tokens for tokens, _ in queries], k)
            if pending:
                yield pending[0].result(), pending[1]
            pending = search, sum(fell_back for _, fell_back in queries)
        if pending:
            yield pending[0].result(), pending[1]


@dataclass(frozen=True)
class _Best:
    """The best hit of each sentence retrieved so far, by ascending id.

    A key has the rank in its upper half; its lower half decreases with the score, because positive floats have the same
    order as their bits. So a smaller key is a better hit.
    """

    ids: NDArray[np.int64]
    keys: NDArray[np.int64]
    anchors: NDArray[np.int32]


def _merge(best: _Best, hits: Hits, first: int) -> _Best:
    """Merge the hits of a batch: the better rank wins, then the higher score, then the earlier anchor.

    Args:
        first: number of the first anchor in the batch.
    """
    positions = np.arange(hits.ids.shape[1])
    valid = positions < hits.counts[:, None]
    numbers = np.arange(first, first + len(hits.counts), dtype=np.int32)
    ranked = (positions + 1 << 32) | (_LARGEST - hits.scores.view(np.int32).astype(np.int64))
    ids = np.concatenate([best.ids, hits.ids[valid]])
    keys = np.concatenate([best.keys, ranked[valid]])
    anchors = np.concatenate([best.anchors, np.repeat(numbers, hits.counts)])
    # Sorted by id, and at equal ids by anchor: the place in the lower half makes every number distinct.
    order = np.sort((ids.astype(np.uint64) << 32) | np.arange(len(ids), dtype=np.uint64)) & 0xFFFFFFFF
    ids, keys, anchors = ids[order], keys[order], anchors[order]
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    lowest = np.repeat(np.minimum.reduceat(keys, starts), np.diff(starts, append=len(ids))) if len(ids) else keys
    won = np.flatnonzero(keys == lowest)
    won = won[np.flatnonzero(np.diff(ids[won], prepend=-1))]  # the earliest of equal hits
    return _Best(ids[won], keys[won], anchors[won])
