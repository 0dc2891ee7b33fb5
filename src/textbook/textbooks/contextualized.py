"""The contextualized corpus (paper, section 2.1): the most relevant corpus sentences for every task sentence.

The task sentences are called anchors. The corpus has no duplicates, so the hits of all anchors can be merged by id
instead of by text. One array over the corpus holds the best rank of each sentence, so memory does not grow with the
number of anchors times k.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from textbook.errors import UserError
from textbook.retrieval.hits import Hits, SearchIndex
from textbook.retrieval.rake import query

UNSEEN = np.iinfo(np.int32).max
ANCHOR_BATCH = 1024


@dataclass(frozen=True)
class Merged:
    """The merged search results of all anchors, with up to `k` sentences retrieved per anchor.

    `rank`, `score` and `anchor` have the shape [sentences of the corpus]. `rank` is the best rank of the sentence over
    all anchors, counted from 1, or `UNSEEN` if no anchor retrieved it. `score` is the highest score at that rank.
    `anchor` is the number of the first anchor that retrieved the sentence with this rank and score; it is None unless
    anchors were kept.

    `hits` is the total number of hits. `without_keywords` and `without_hits` count the anchors that have none.
    """

    k: int
    rank: NDArray[np.int32]
    score: NDArray[np.float32]
    hits: int
    without_keywords: int
    without_hits: int
    anchor: NDArray[np.int32] | None = None

    @property
    def distinct(self) -> int:
        """Number of distinct sentences retrieved."""
        return int(np.count_nonzero(self.rank <= self.k))

    def order(self, k: int | None = None) -> NDArray[np.int64]:
        """Ids of the sentences of rank k or better, ordered by rank, score and id: the most relevant come first."""
        ids = np.flatnonzero(self.rank <= (k or self.k))
        return ids[self._by_relevance(ids)]

    def grouped(self, k: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Group the sentences of rank k or better by anchor.

        Returns:
            Ids of the sentences, ordered by anchor, rank, score and id, and the anchor of each.
        """
        assert self.anchor is not None, "retrieve() must be called with keep_anchors=True"
        ids = self.order(k)
        ids = ids[np.argsort(self.anchor[ids], kind="stable")]
        return ids, self.anchor[ids]

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
        return np.lexsort((ids, -self.score[ids], self.rank[ids]))


def retrieve(
    index: SearchIndex,
    anchors: Sequence[str],
    *,
    k: int,
    phrases: int,
    stop_words: frozenset[str],
    keep_anchors: bool = False,
) -> Merged:
    """Retrieve the top k sentences of every anchor and merge them.

    Args:
        phrases: number of keyword phrases per anchor that make up its query.
        stop_words: the stop words of the language of the anchors.
        keep_anchors: record which anchor retrieved each sentence, as `Merged.pairs` requires.
    """
    best = np.full(index.sentences, (UNSEEN << 32) | UNSEEN, np.int64)
    anchor = np.full(index.sentences, -1, np.int32) if keep_anchors else None
    searched = 0
    total_hits = without_keywords = without_hits = 0
    with tqdm(total=len(anchors), desc="retrieve", unit="anchor") as progress:
        for hits, fallbacks in _search(index, anchors, k, phrases, stop_words):
            _merge(best, hits, anchor, searched)
            searched += len(hits.counts)
            total_hits += int(hits.counts.sum())
            without_hits += int((hits.counts == 0).sum())
            without_keywords += fallbacks
            progress.update(len(hits.counts))
    rank, score = (best >> 32).astype(np.int32), (UNSEEN - (best & UNSEEN)).astype(np.int32).view(np.float32)
    return Merged(k, rank, score, total_hits, without_keywords, without_hits, anchor)


def blend(merged: Merged, share: float, seed: int = 0) -> Merged:
    """Replace a share of the retrieved sentences by random ones that no anchor retrieved.

    A random sentence has the rank, the score and the anchor of the one whose place it takes.

    Raises:
        UserError: the corpus has too few other sentences.
    """
    retrieved, others = merged.order(), np.flatnonzero(merged.rank > merged.k)
    count = round(share * len(retrieved))
    if count > len(others):
        raise UserError(
            f"textbooks.contextualized.blend = {share:g}: replaces {count:,} sentences, but the corpus has only"
            f" {len(others):,} that were not retrieved; use a smaller blend, a smaller k or a larger corpus"
        )
    random = np.random.default_rng(seed)
    out, into = (random.choice(ids, count, replace=False) for ids in (retrieved, others))
    moved: dict[str, Any] = {}
    for name, empty in (("rank", UNSEEN), ("score", 0), ("anchor", -1)):
        if (values := getattr(merged, name)) is not None:
            moved[name] = values.copy()
            moved[name][into], moved[name][out] = values[out], empty
    return replace(merged, **moved)


def _search(
    index: SearchIndex, anchors: Sequence[str], k: int, phrases: int, stop_words: frozenset[str]
) -> Iterator[tuple[Hits, int]]:
    """Yield the hits of each batch of anchors, and how many of the anchors have no keywords.

    A batch is searched while the caller merges the previous one and the queries of the next one are built.
    """
    with ThreadPoolExecutor(1) as executor:
        pending = None
        for start in range(0, len(anchors), ANCHOR_BATCH):
            queries = [query(anchor, phrases, stop_words) for anchor in anchors[start : start + ANCHOR_BATCH]]
            search = executor.submit(index.search, [tokens for tokens, _ in queries], k)
            if pending:
                yield pending[0].result(), pending[1]
            pending = search, sum(fell_back for _, fell_back in queries)
        if pending:
            yield pending[0].result(), pending[1]


def _merge(best: NDArray[np.int64], hits: Hits, anchor: NDArray[np.int32] | None, first: int) -> None:
    """Merge the hits of a batch into `best`: the better rank wins, then the higher score, then the earlier anchor.

    Args:
        best: one sortable key per corpus sentence. The upper 32 bits are the rank; the lower 32 bits decrease with the
            score. Positive floats have the same order as their bits.
        anchor: the anchor that retrieved each sentence, updated in place; None if anchors are not kept.
        first: number of the first anchor in the batch.
    """
    positions = np.arange(hits.ids.shape[1])
    keys = (positions + 1 << 32) | (UNSEEN - hits.scores.view(np.int32).astype(np.int64))
    valid = positions < hits.counts[:, None]
    ids, keys = hits.ids[valid], keys[valid]
    if anchor is None:
        np.minimum.at(best, ids, keys)
        return
    better = np.flatnonzero(keys < best[ids])
    np.minimum.at(best, ids, keys)
    won = better[keys[better] == best[ids[better]]][::-1]  # reversed, so that the earliest of equal keys is kept
    anchor[ids[won]] = first + np.nonzero(valid)[0][won]
