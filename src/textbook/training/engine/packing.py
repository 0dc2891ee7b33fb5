"""Packed batches: sentences end to end as one row of tokens, without padding, in random order.

The total length of many random sentences varies little. Filled up to a multiple, it takes a handful of values in a
whole run, so that a step is compiled and recorded only a few times.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.training.engine.batches import shuffled
from textbook.training.engine.feed import Batch
from textbook.training.engine.tokens import Tokens

MULTIPLE_OF_TOKENS = 256  # about half of this is wasted in each batch
FILLER = 16  # tokens of the sentences that fill up a batch: the shortest that a kernel computes in one tile


class RandomBatches:
    """An endless stream of random batches of one size. Step n always has the same batch, so a run can resume anywhere.

    Each epoch is a random permutation of all texts, and a batch can span the end of one and the start of the next.

    Args:
        texts: number of texts.
        batch: texts in a batch.
    """

    def __init__(self, texts: int, batch: int, seed: int) -> None:
        self.texts, self.batch, self.seed = texts, batch, seed

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of the batch of a step, counted from 0."""
        places = np.arange(step * self.batch, (step + 1) * self.batch)
        epochs = places // self.texts
        parts = [
            shuffled(places[epochs == epoch] % self.texts, self.texts, np.random.default_rng([self.seed, int(epoch)]))
            for epoch in np.unique(epochs)
        ]
        return np.concatenate(parts)


def pack_batch(
    tokens: Tokens, rows: NDArray[np.int64], pad_id: int, *, multiple: int = MULTIPLE_OF_TOKENS, longest: int = 512
) -> Batch:
    """The texts `rows` end to end, filled up to a multiple of `multiple` tokens.

    The filler consists of sentences of at most `FILLER` pad tokens with weight 0, so every token belongs to a sentence.
    Batches of equally many texts have equally many sentences; those that are not needed are empty.

    Args:
        longest: the longest text that the kernels are launched for, in tokens.

    Returns:
        A batch whose inputs are `input_ids`, `token_type_ids` and `position_ids`, int64 [1, tokens], and `starts`,
        int32 [sentences + 1], where sentence n is the tokens from `starts[n]` to `starts[n + 1]`. Positions count from
        0 in each sentence.

    Raises:
        UserError: a text is longer than `longest`.
    """
    first, lengths = tokens.offsets[rows], tokens.offsets[rows + 1] - tokens.offsets[rows]
    if lengths.max() > longest:
        raise UserError(f"a text has {lengths.max()} tokens: packed batches take at most {longest}")
    missing = -int(lengths.sum()) % multiple
    filler = np.clip(missing - FILLER * np.arange(-(-multiple // FILLER)), 0, FILLER)
    every = np.concatenate([lengths, filler])
    starts = np.concatenate([[0], np.cumsum(every)])
    positions = np.arange(starts[-1]) - np.repeat(starts[:-1], every)
    places = positions[: starts[len(rows)]] + np.repeat(first, lengths)
    ids, types = np.full((1, starts[-1]), pad_id, np.int64), np.zeros((1, starts[-1]), np.int64)
    ids[0, : len(places)], types[0, : len(places)] = tokens.ids[places], tokens.types[places]
    inputs = {
        "input_ids": torch.from_numpy(ids),
        "token_type_ids": torch.from_numpy(types),
        "position_ids": torch.from_numpy(positions[None]),
        "starts": torch.from_numpy(starts.astype(np.int32)),
    }
    weights = torch.zeros(len(every))
    weights[: len(rows)] = 1 / len(rows)
    return Batch(inputs, weights, lengths)
