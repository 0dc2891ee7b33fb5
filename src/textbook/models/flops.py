"""Floating-point operations of an encoder; a multiplication and an addition count as two."""

from typing import Any


def layer_flops(hidden: int, intermediate: int, length: int) -> float:
    """Forward pass of one layer over one sequence: projections, attention and feed-forward; the rest is negligible."""
    projections = 2 * length * 4 * hidden * hidden
    attention = 2 * 2 * length * length * hidden
    feed_forward = 2 * length * 2 * hidden * intermediate
    return projections + attention + feed_forward


def flops_to_qkv(config: Any, layer: int, length: int) -> float:
    """Forward pass over one sequence up to the queries, keys and values of `layer` (1 is the first)."""
    below: float = (layer - 1) * layer_flops(config.hidden_size, config.intermediate_size, length)
    return below + 2.0 * length * 3 * int(config.hidden_size) ** 2


def distillation_flops(teacher: Any, teacher_layer: int, student: Any, student_layer: int, length: int) -> float:
    """One sequence of distillation: the teacher forward; the student forward and, at twice the cost, backward."""
    return flops_to_qkv(teacher, teacher_layer, length) + 3 * flops_to_qkv(student, student_layer, length)
