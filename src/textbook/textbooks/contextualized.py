"""The contextualized corpus (paper, section 2.1): for every task sentence the most relevant sentences of the corpus.

Because the corpus has no duplicates, merging the hits of all anchors by text is merging them by id: one array over the
corpus remembers the best rank of each sentence, so memory does not grow with anchors times k.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from textbook.retrieval.hits import Index
from textbook.retrieval.rake import query

UNSEEN = np.iinfo(np.int32).max
ANCHOR_BATCH = 1024


@dataclass(frozen=True)
class Merged:
    """What all anchors together retrieved, `k` sentences each.

    Shapes: `rank` and `score` [sentences of the corpus]; `rank` is the best over the anchors (1 is the first), `UNSEEN`
    where no anchor retrieved the sentence; `score` is the highest at that rank.
    """

    k: int
    rank: NDArray[np.int32]
    score: NDArray[np.float32]
    hits: int
    without_keywords: int
    without_hits: int

    @property
    def distinct(self) -> int:
        """How many sentences were retrieved, each counted once."""
        return int(np.count_nonzero(self.rank <= self.k))

    def order(self, k: int | None = None) -> NDArray[np.int64]:
        """Ids of the sentences of rank k or better, by rank, score and id: a prefix is the more relevant part."""
        ids = np.flatnonzero(self.rank <= (k or self.k))
        return ids[np.lexsort((ids, -self.score[ids], self.rank[ids]))]


def retrieve(index: Index, anchors: Sequence[str], *, k: int, phrases: int) -> Merged:
    """Search the top k sentences of every anchor and merge them."""
    rank = np.full(index.sentences, UNSEEN, np.int32)
    score = np.zeros(index.sentences, np.float32)
    hits = without_keywords = without_hits = 0
    with tqdm(total=len(anchors), desc="retrieve", unit="anchor") as progress:
        for batch in _batches(anchors, ANCHOR_BATCH):
            queries = [query(anchor, phrases) for anchor in batch]
            found = index.search([tokens for tokens, _ in queries], k)
            for place in range(found.ids.shape[1]):
                has = found.counts > place
                _merge(rank, score, place + 1, found.ids[has, place], found.scores[has, place])
            hits += int(found.counts.sum())
            without_hits += int((found.counts == 0).sum())
            without_keywords += sum(fell_back for _, fell_back in queries)
            progress.update(len(batch))
    return Merged(k, rank, score, hits, without_keywords, without_hits)


def _merge(
    rank: NDArray[np.int32], score: NDArray[np.float32], place: int, ids: NDArray[np.int64], scores: NDArray[np.float32]
) -> None:
    """Note the hits of one place: a better rank wins, at the same rank the higher score."""
    better = rank[ids] > place
    score[ids[better]] = 0
    rank[ids[better]] = place
    same = rank[ids] == place
    np.maximum.at(score, ids[same], scores[same])


def _batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
