"""Choose the number of sentences retrieved per anchor to fit a size budget (paper, section 3)."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.corpus.shards import shard_paths
from textbook.errors import UserError
from textbook.params import Budget
from textbook.textbooks.contextualized import Merged


def fit_budget(merged: Merged, budget: Budget, corpus: Path) -> int:
    """The largest k whose textbook fits the budget.

    The textbook for k consists of the sentences retrieved at rank k or better. One search therefore gives the sizes for
    every k.

    Raises:
        UserError: the textbook exceeds the budget even at k = 1.
    """
    sizes = sentence_bytes(corpus, merged.ids) if budget.unit == "bytes" else np.ones(merged.distinct)
    totals = np.cumsum(np.bincount(merged.rank, weights=sizes, minlength=merged.k + 1))
    k = int(np.searchsorted(totals[1:], budget.size, side="right"))
    if k == 0:
        raise UserError(
            f"textbooks.contextualized.budget.size = {budget.size}: must be at least {totals[1]:.0f} {budget.unit},"
            " the size at one sentence per anchor"
        )
    return k


def sentence_bytes(corpus: Path, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Size in UTF-8, including a newline, of the sentences with these ascending ids; reads one shard at a time."""
    sizes = [np.empty(0, np.int64)]
    first = 0
    for path in shard_paths(corpus):
        sentences = pq.read_table(path, columns=["sentence"])["sentence"]
        start, stop = np.searchsorted(ids, (first, first + len(sentences)))
        sizes.append(pc.binary_length(sentences).to_numpy()[ids[start:stop] - first].astype(np.int64) + 1)
        first += len(sentences)
    return np.concatenate(sizes)
