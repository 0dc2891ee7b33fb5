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
    ids = np.flatnonzero(merged.rank <= merged.k)
    sizes = sentence_bytes(corpus)[ids] if budget.unit == "bytes" else np.ones(len(ids))
    totals = np.cumsum(np.bincount(merged.rank[ids], weights=sizes, minlength=merged.k + 1))
    k = int(np.searchsorted(totals[1:], budget.size, side="right"))
    if k == 0:
        raise UserError(
            f"textbooks.contextualized.budget.size = {budget.size}: must be at least {totals[1]:.0f} {budget.unit},"
            " the size at one sentence per anchor"
        )
    return k


def sentence_bytes(corpus: Path) -> NDArray[np.int64]:
    """Size of each sentence of a corpus in UTF-8, including a newline; shape [sentences]."""
    columns = [pq.read_table(path, columns=["sentence"])["sentence"] for path in shard_paths(corpus)]
    return np.concatenate([pc.binary_length(column).to_numpy() + 1 for column in columns]).astype(np.int64)
