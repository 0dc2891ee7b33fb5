"""What a search finds, and how the finds of several shards become one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hits:
    """The best sentences of a batch of queries: those of query q are `ids[q, :counts[q]]`, best first, ties by id.

    Sentences without a word of the query are no hits, so a query can have fewer than k.

    Shapes: `ids` and `scores` [queries, k], `counts` [queries].
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    counts: NDArray[np.int32]


class Index(Protocol):
    """An open index over a corpus, whatever the engine."""

    @property
    def sentences(self) -> int:
        """How many sentences the corpus has."""

    def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        """The top k sentences of each query by BM25. A word that stands twice in a query counts twice."""


def merge_hits(parts: Sequence[Hits], k: int) -> Hits:
    """The top k of each query over disjoint parts of a corpus: exactly what one search over all of it would find."""
    if len(parts) == 1:
        return parts[0]
    places = [np.arange(part.ids.shape[1]) < part.counts[:, None] for part in parts]
    scores = np.concatenate(
        [np.where(place, part.scores, 0) for part, place in zip(parts, places, strict=True)], axis=1
    )
    ids = np.concatenate([part.ids for part in parts], axis=1)
    best = np.lexsort((ids, -scores), axis=1)[:, :k]  # hits score above 0, so what is none comes last
    counts = np.minimum(np.sum([part.counts for part in parts], axis=0), k).astype(np.int32)
    return Hits(np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1), counts)
