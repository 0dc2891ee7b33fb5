"""Floating-point operations of an encoder; a multiplication and an addition count as two."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Length = TypeVar("Length", int, NDArray[np.int64])  # tokens of one sequence, or of each of several
Flops = Any  # of one sequence, or of each of several


def layer_flops(config: Any, length: Length) -> Flops:
    """Forward pass of one layer over a sequence: projections, attention and feed-forward; the rest is negligible."""
    hidden = config.hidden_size
    projections = 2 * length * 4 * hidden * hidden
    attention = 2 * 2 * length * length * hidden
    return projections + attention + 2 * length * feed_forward_weights(config)


def feed_forward_weights(config: Any) -> int:
    """Weights of the products in a layer's feed-forward: two, or three where one is a gate (ModernBERT)."""
    inner = config.hidden_dim if config.model_type == "distilbert" else config.intermediate_size
    return int((3 if config.model_type == "modernbert" else 2) * config.hidden_size * inner)


def encoder_flops(config: Any, length: Length) -> Flops:
    """Forward pass of a whole encoder over a sequence."""
    return config.num_hidden_layers * layer_flops(config, length)


def flops_to_qkv(config: Any, layer: int, length: Length) -> Flops:
    """Forward pass over a sequence up to the queries, keys and values of `layer` (1 is the first)."""
    return (layer - 1) * layer_flops(config, length) + 2 * length * 3 * config.hidden_size**2


def distillation_flops(teacher: Any, teacher_layer: int, student: Any, student_layer: int, length: Length) -> Flops:
    """A sequence of distillation: the teacher forward; the student forward and, at twice the cost, backward."""
    return flops_to_qkv(teacher, teacher_layer, length) + 3 * flops_to_qkv(student, student_layer, length)
