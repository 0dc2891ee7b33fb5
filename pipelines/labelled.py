"""A prepared task as what models learn from."""

from functools import partial

from transformers import PreTrainedTokenizerBase

from pipelines.stage import TASKS
from textbook.evaluation.metrics import measure
from textbook.params import Task
from textbook.tasks.prepare import read_split, texts, validation_splits
from textbook.training.device import Device
from textbook.training.finetune import Labelled, Measure
from textbook.training.tokens import tokenize


def read_labelled(task: str, split: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Labelled:
    """A split of a prepared task, tokenised."""
    rows = read_split(TASKS / task, split)
    labels = rows["label"].to_numpy()
    if labels.dtype.kind == "f":
        labels = labels.astype("float32")  # as the models compute
    return Labelled(tokenize(tokenizer, *texts(rows), max_length), labels)


def measure_of(
    task: str, settings: Task, tokenizer: PreTrainedTokenizerBase, max_length: int, device: Device
) -> Measure:
    """What gives the task's metrics of a model on all that it is validated on."""
    splits = {name: read_labelled(task, name, tokenizer, max_length) for name in validation_splits(TASKS / task)}
    return partial(measure, splits=splits, metrics=settings.metrics, pad_id=tokenizer.pad_token_id, device=device)
