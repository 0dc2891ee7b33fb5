"""Read a prepared task as input for classifiers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from textbook.tasks.splits import read_split, texts
from textbook.training.engine.tokens import Tokens, tokenize


@dataclass(frozen=True)
class Labelled:
    """Tokenised texts and their labels: class indices (int64), or numbers for regression (float32)."""

    tokens: Tokens
    labels: NDArray[np.int64] | NDArray[np.float32]


def read_labelled(folder: Path, split: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Labelled:
    """Read a split of the prepared task in `folder` and tokenise it."""
    rows = read_split(folder, split)
    labels = rows["label"].to_numpy()
    if labels.dtype.kind == "f":
        labels = labels.astype("float32")  # the precision of the models' outputs
    return Labelled(tokenize(tokenizer, *texts(rows), max_length), labels)
