"""A prepared task as what models learn from and are measured on."""

from functools import partial

from transformers import PreTrainedTokenizerBase

from pipelines.stage import TASKS
from textbook.evaluation.metrics import measure
from textbook.params import Task
from textbook.tasks.prepare import validation_splits
from textbook.training import labelled
from textbook.training.device import Device
from textbook.training.finetune import Labelled, Measure


def read_labelled(task: str, split: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Labelled:
    """A split of a prepared task, tokenised."""
    return labelled.read_labelled(TASKS / task, split, tokenizer, max_length)


def measure_of(
    task: str, settings: Task, tokenizer: PreTrainedTokenizerBase, max_length: int, device: Device
) -> Measure:
    """What gives the task's metrics of a model on all that it is validated on."""
    splits = {name: read_labelled(task, name, tokenizer, max_length) for name in validation_splits(TASKS / task)}
    return partial(measure, splits=splits, metrics=settings.metrics, pad_id=tokenizer.pad_token_id, device=device)
