"""Read a prepared task as input for classifiers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from textbook.tasks.splits import read_split, texts
from textbook.training.engine.checks import check_labels, check_readable
from textbook.training.engine.tokens import Tokens, tokenize


@dataclass(frozen=True)
class Labelled:
    """Tokenised texts and their labels: class indices (int64), or numbers for regression (float32)."""

    tokens: Tokens
    labels: NDArray[np.int64] | NDArray[np.float32]


def read_labelled(folder: Path, split: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Labelled:
    """Read a split of the prepared task in `folder` and tokenise it."""
    rows = read_split(folder, split)
    return Labelled(tokenize(tokenizer, *texts(rows), max_length), labels_of(rows))


def labels_of(rows: pa.Table) -> NDArray[np.int64] | NDArray[np.float32]:
    """The labels of a split of a prepared task [rows]."""
    labels: NDArray[Any] = rows["label"].to_numpy()
    return labels.astype(np.float32) if labels.dtype.kind == "f" else labels  # the precision of the models' outputs


def check_labelled(config: Any, rows: Labelled, pad_id: int | None, section: str) -> None:
    """Check that a classifier can read texts and has an output for each label.

    Args:
        config: the configuration of the model.
        section: the section of the parameters with `max_length`: `teacher` or `adapt`.

    Raises:
        UserError: it cannot or has not.
    """
    whose = {"adapt": "student"}.get(section, section)
    check_readable(config, rows.tokens, pad_id, whose=whose, section=section)
    check_labels(config, rows.labels, whose)
