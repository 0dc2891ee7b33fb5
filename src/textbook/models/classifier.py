"""Classifiers: an encoder with a classification or regression head for one task."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from textbook.models.weights import load_model


def load_classifier(folder: Path, outputs: Sequence[str], seed: int, *, regression: bool = False) -> PreTrainedModel:
    """Load the encoder in `folder` in fp32 with a head, which is to be trained.

    A head in the folder with as many outputs is kept. Otherwise the head is new, initialised with `seed`.

    Args:
        outputs: names of the outputs of the head: the classes, or the target of a regression.

    Raises:
        UserError: the folder has no encoder that can be loaded, or lacks weights of it.
    """
    labels = dict(enumerate(outputs))
    torch.manual_seed(seed)
    return load_model(
        AutoModelForSequenceClassification,
        folder,
        "a classifier",
        id2label=labels,
        label2id={label: number for number, label in labels.items()},
        problem_type="regression" if regression else "single_label_classification",
    )


def read_classifier(folder: Path) -> PreTrainedModel:
    """Load a fine-tuned classifier, including its head, in fp32.

    Raises:
        UserError: the folder has no classifier that can be loaded, or lacks weights of it.
    """
    return load_model(AutoModelForSequenceClassification, folder, "a classifier", complete=True)
