"""A prepared task as what models learn from."""

from transformers import PreTrainedTokenizerBase

from pipelines.stage import TASKS
from textbook.tasks.prepare import read_split, texts
from textbook.training.finetune import Labelled
from textbook.training.tokens import tokenize


def read_labelled(task: str, split: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Labelled:
    """A split of a prepared task, tokenised."""
    rows = read_split(TASKS / task, split)
    return Labelled(tokenize(tokenizer, *texts(rows), max_length), rows["label"].to_numpy())
