"""Classifiers: an encoder and a head for the labels of one task."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from textbook.errors import UserError


def load_classifier(folder: Path, outputs: Sequence[str], seed: int, *, regression: bool = False) -> PreTrainedModel:
    """The encoder in `folder` under a new head, initialised by `seed`.

    Args:
        outputs: names of what the head gives: the classes, or the one number of a regression.

    Raises:
        UserError: nothing can be loaded from the folder.
    """
    names = dict(enumerate(outputs))
    numbers = {label: number for number, label in names.items()}
    torch.manual_seed(seed)
    try:
        config = AutoConfig.from_pretrained(
            folder,
            num_labels=len(names),
            id2label=names,
            label2id=numbers,
            problem_type="regression" if regression else "single_label_classification",
            local_files_only=True,
        )
        model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no classifier can be made of it: {str(error).splitlines()[0]}") from None
    return model


def read_classifier(folder: Path) -> PreTrainedModel:
    """A finished classifier, head included, in fp32."""
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return model
