"""Search results, and what every search engine offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hits:
    """The top k sentences of each query.

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
        """The top k sentences of each query by BM25. A word that occurs twice in a query counts twice.

        All queries at once are fastest: each part of the index is read once.
        """
