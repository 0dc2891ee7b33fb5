"""How many sentences each anchor may bring, so that the textbook has a given size (paper, section 3)."""

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

    Since the textbook of k is what was retrieved at rank k or better, its size is known for every k after one search.

    Raises:
        UserError: even the best sentence of each anchor is too much.
    """
    seen = np.flatnonzero(merged.rank <= merged.k)
    sizes = sentence_bytes(corpus)[seen] if budget.unit == "bytes" else np.ones(len(seen))
    totals = np.cumsum(np.bincount(merged.rank[seen], weights=sizes, minlength=merged.k + 1))
    k = int(np.searchsorted(totals[1:], budget.size, side="right"))
    if k == 0:
        raise UserError(
            f"textbooks.contextualized.budget.size = {budget.size}: one sentence for each anchor has"
            f" {totals[1]:.0f} {budget.unit} already"
        )
    return k


def sentence_bytes(corpus: Path) -> NDArray[np.int64]:
    """The length of each sentence of a corpus in UTF-8, its closing newline included; shape [sentences]."""
    columns = [pq.read_table(path, columns=["sentence"])["sentence"] for path in shard_paths(corpus)]
    return np.concatenate([pc.binary_length(column).to_numpy() + 1 for column in columns]).astype(np.int64)
