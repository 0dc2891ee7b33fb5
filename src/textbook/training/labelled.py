"""A prepared task as what classifiers learn from."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from textbook.tasks.prepare import read_split, texts
from textbook.training.finetune import Labelled
from textbook.training.tokens import tokenize


def read_labelled(folder: Path, split: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Labelled:
    """A split of the prepared task in `folder`, tokenised."""
    rows = read_split(folder, split)
    labels = rows["label"].to_numpy()
    if labels.dtype.kind == "f":
        labels = labels.astype("float32")  # as the models compute
    return Labelled(tokenize(tokenizer, *texts(rows), max_length), labels)
