"""Classifiers: an encoder with a classification or regression head for one task."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from textbook.errors import UserError


def load_classifier(folder: Path, outputs: Sequence[str], seed: int, *, regression: bool = False) -> PreTrainedModel:
    """Load the encoder in `folder` and add a new head, initialised with `seed`.

    Args:
        outputs: names of the outputs of the head: the classes, or the target of a regression.

    Raises:
        UserError: the folder has no encoder that can be loaded.
    """
    labels = dict(enumerate(outputs))
    ids = {label: number for number, label in labels.items()}
    torch.manual_seed(seed)
    try:
        config = AutoConfig.from_pretrained(
            folder,
            num_labels=len(labels),
            id2label=labels,
            label2id=ids,
            problem_type="regression" if regression else "single_label_classification",
            local_files_only=True,
        )
        model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: cannot be loaded as a classifier: {str(error).splitlines()[0]}") from None
    return model


def read_classifier(folder: Path) -> PreTrainedModel:
    """Load a fine-tuned classifier, including its head, in fp32."""
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return model
