"""The contextualized corpus (paper, section 2.1): for every task sentence the most relevant sentences of the corpus.

Because the corpus has no duplicates, merging the hits of all anchors by text is merging them by id: one array over the
corpus remembers the best rank of each sentence, so memory does not grow with anchors times k.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from textbook.retrieval.hits import Hits, Index
from textbook.retrieval.rake import query

UNSEEN = np.iinfo(np.int32).max
ANCHOR_BATCH = 1024


@dataclass(frozen=True)
class Merged:
    """What all anchors together retrieved, `k` sentences each.

    Shapes: `rank` and `score` [sentences of the corpus]; `rank` is the best over the anchors (1 is the first), `UNSEEN`
    where no anchor retrieved the sentence; `score` is the highest at that rank. `anchor` is the first anchor that
    retrieved the sentence at that rank with that score, or None if it was not asked for.
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
        """How many sentences were retrieved, each counted once."""
        return int(np.count_nonzero(self.rank <= self.k))

    def order(self, k: int | None = None) -> NDArray[np.int64]:
        """Ids of the sentences of rank k or better, by rank, score and id: a prefix is the more relevant part."""
        ids = np.flatnonzero(self.rank <= (k or self.k))
        return ids[self._by_relevance(ids)]

    def pairs(self, k: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of the same sentences in pairs that share their anchor, by the rank, score and id of the first of each.

        A sentence is in one pair at most; the odd one of an anchor is in none.
        """
        assert self.anchor is not None, "anchors were not asked for"
        ids = self.order(k)
        ids = ids[np.argsort(self.anchor[ids], kind="stable")]  # the sentences of an anchor together, the best first
        anchors = self.anchor[ids]
        place = np.arange(len(ids)) - np.searchsorted(anchors, anchors)
        firsts = np.flatnonzero((place[:-1] % 2 == 0) & (anchors[:-1] == anchors[1:]))
        firsts = firsts[self._by_relevance(ids[firsts])]
        return ids[firsts], ids[firsts + 1]

    def _by_relevance(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """In which order to take ids: by rank, score and id."""
        return np.lexsort((ids, -self.score[ids], self.rank[ids]))


def retrieve(index: Index, anchors: Sequence[str], *, k: int, phrases: int, keep_anchors: bool = False) -> Merged:
    """Search the top k sentences of every anchor and merge them.

    Args:
        keep_anchors: remember which anchor brought each sentence, for `Merged.pairs`.
    """
    best = np.full(index.sentences, (UNSEEN << 32) | UNSEEN, np.int64)
    anchor = np.full(index.sentences, -1, np.int32) if keep_anchors else None
    searched = 0
    hits = without_keywords = without_hits = 0
    with tqdm(total=len(anchors), desc="retrieve", unit="anchor") as progress:
        for found, fell_back in _search(index, anchors, k, phrases):
            _merge(best, found, anchor, searched)
            searched += len(found.counts)
            hits += int(found.counts.sum())
            without_hits += int((found.counts == 0).sum())
            without_keywords += fell_back
            progress.update(len(found.counts))
    rank, score = (best >> 32).astype(np.int32), (UNSEEN - (best & UNSEEN)).astype(np.int32).view(np.float32)
    return Merged(k, rank, score, hits, without_keywords, without_hits, anchor)


def _search(index: Index, anchors: Sequence[str], k: int, phrases: int) -> Iterator[tuple[Hits, int]]:
    """The hits of each batch of anchors, and how many of them have no keywords.

    A batch is searched while the one before it is merged and the queries of the next are made.
    """
    with ThreadPoolExecutor(1) as beside:
        waiting = None
        for start in range(0, len(anchors), ANCHOR_BATCH):
            queries = [query(anchor, phrases) for anchor in anchors[start : start + ANCHOR_BATCH]]
            search = beside.submit(index.search, [tokens for tokens, _ in queries], k)
            if waiting:
                yield waiting[0].result(), waiting[1]
            waiting = search, sum(fell_back for _, fell_back in queries)
        if waiting:
            yield waiting[0].result(), waiting[1]


def _merge(best: NDArray[np.int64], found: Hits, anchor: NDArray[np.int32] | None, first: int) -> None:
    """Note the hits: a better rank wins, at the same rank the higher score, then the earlier anchor.

    `best` has rank and score in one number for each sentence, the rank above 32 bits that are fewer for a higher score.
    As scores are positive, their bits rank as they do.

    Args:
        anchor: which anchor brought each sentence, if that is wanted.
        first: the number of the batch's first anchor.
    """
    places = np.arange(found.ids.shape[1])
    keys = (places + 1 << 32) | (UNSEEN - found.scores.view(np.int32).astype(np.int64))
    has = places < found.counts[:, None]
    ids, keys = found.ids[has], keys[has]
    if anchor is None:
        np.minimum.at(best, ids, keys)
        return
    better = np.flatnonzero(keys < best[ids])
    np.minimum.at(best, ids, keys)
    won = better[keys[better] == best[ids[better]]][::-1]  # where two are equal, the earlier is written last
    anchor[ids[won]] = first + np.nonzero(has)[0][won]
