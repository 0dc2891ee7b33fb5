"""Search results, and merging the results of several shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hits:
    """The top k sentences of each query in a batch.

    Query q has the hits `ids[q, :counts[q]]`, best first; ties are in order of id. Only sentences that share a word
    with the query are hits, so a query can have fewer than k.

    Shapes: `ids` and `scores` [queries, k], `counts` [queries].
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    counts: NDArray[np.int32]


class SearchIndex(Protocol):
    """An open index over a corpus; each engine implements it."""

    @property
    def sentences(self) -> int:
        """Number of sentences in the corpus."""

    def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        """The top k sentences of each query by BM25. A word that occurs twice in a query counts twice."""


def merge_hits(parts: Sequence[Hits], k: int) -> Hits:
    """Merge the hits of disjoint parts of a corpus. The result equals that of one search over the whole corpus."""
    if len(parts) == 1:
        return parts[0]
    masks = [np.arange(part.ids.shape[1]) < part.counts[:, None] for part in parts]
    scores = np.concatenate([np.where(mask, part.scores, 0) for part, mask in zip(parts, masks, strict=True)], axis=1)
    ids = np.concatenate([part.ids for part in parts], axis=1)
    best = np.lexsort((ids, -scores), axis=1)[:, :k]  # real hits score above 0, so padding sorts last
    counts = np.minimum(np.sum([part.counts for part in parts], axis=0), k).astype(np.int32)
    return Hits(np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1), counts)
