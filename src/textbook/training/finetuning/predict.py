"""Inference with a classifier."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from textbook.errors import UserError
from textbook.models.encoder import inputs_for
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import Tokens, collate

Measure = Callable[[nn.Module], dict[str, float]]
"""Returns a model's metrics on validation data. The first metric decides which epoch is the best."""


@torch.no_grad()
def predict(model: nn.Module, tokens: Tokens, *, pad_id: int, device: Device, batch: int = 64) -> NDArray[np.float32]:
    """The outputs of a classifier for each text, in order, in the precision of its weights.

    Returns:
        Logits [texts, classes], or predicted numbers [texts, 1] for regression.

    Raises:
        UserError: an output is not finite. It would count as an answer: as the first class.
    """
    model.to(device.kind).eval()
    order = np.argsort(tokens.lengths(), kind="stable")
    parts = []
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = {key: part.to(device.kind) for key, part in collate(tokens, rows, pad_id).items()}
        parts.append(model(**inputs_for(model, inputs)).logits.float().cpu().numpy())
    sorted_outputs = np.concatenate(parts)
    if not np.isfinite(sorted_outputs).all():
        raise UserError("a classifier's outputs are not finite, so they have no score; train it with a smaller lr")
    outputs = np.empty_like(sorted_outputs)
    outputs[order] = sorted_outputs
    return outputs
