"""Floating-point operations (FLOPs) of an encoder. A multiply-add counts as two operations."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Length = TypeVar("Length", int, NDArray[np.int64])  # number of tokens of one sequence, or of several
Flops = Any  # FLOPs of one sequence, or of several


def layer_flops(config: Any, length: Length) -> Flops:
    """FLOPs of one layer's forward pass over a sequence: projections, attention and feed-forward.

    All other operations are negligible.
    """
    hidden = config.hidden_size
    projections = 2 * length * 4 * hidden * hidden
    attention = 2 * 2 * length * length * hidden
    return projections + attention + 2 * length * feed_forward_weights(config)


def feed_forward_weights(config: Any) -> int:
    """Number of weights in a layer's feed-forward matrices: two matrices, or three with a gate (ModernBERT)."""
    intermediate = config.hidden_dim if config.model_type == "distilbert" else config.intermediate_size
    return int((3 if config.model_type == "modernbert" else 2) * config.hidden_size * intermediate)


def encoder_flops(config: Any, length: Length) -> Flops:
    """FLOPs of an encoder's forward pass over a sequence."""
    return config.num_hidden_layers * layer_flops(config, length)


def flops_to_qkv(config: Any, layer: int, length: Length) -> Flops:
    """FLOPs of a forward pass over a sequence up to the queries, keys and values of `layer`, counted from 1."""
    return (layer - 1) * layer_flops(config, length) + 2 * length * 3 * config.hidden_size**2


def distillation_flops(teacher: Any, teacher_layer: int, student: Any, student_layer: int, length: Length) -> Flops:
    """FLOPs of one distillation step on a sequence: teacher forward, student forward and backward.

    A backward pass costs twice as much as a forward pass.
    """
    return flops_to_qkv(teacher, teacher_layer, length) + 3 * flops_to_qkv(student, student_layer, length)
