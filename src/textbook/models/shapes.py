"""What a student will be like before it is trained, and the largest one that a budget allows."""

from bisect import bisect_right
from collections.abc import Callable
from math import lcm
from typing import Any

import torch

from textbook.errors import UserError
from textbook.models.flops import encoder_flops
from textbook.models.student import Shape, make_student

HEAD = 32  # width of an attention head, as in MiniLM's students of 384
DEEPEST = 12  # layers, as many as a base teacher has


def count_parameters(shape: Shape, teacher_config: Any) -> int:
    """Parameters of the encoder of a student, embeddings included; no memory is taken for them."""
    with torch.device("meta"):
        return make_student(shape, teacher_config, seed=0).num_parameters()


def sentence_flops(shape: Shape, teacher_config: Any, tokens: int) -> float:
    """Operations of the student's layers on one sentence."""
    with torch.device("meta"):
        config = make_student(shape, teacher_config, seed=0).config
    return float(encoder_flops(config, tokens))


def shape_of(layers: int, hidden: int) -> Shape:
    """A student as they usually are: heads of 32, feed-forward of four times the hidden size."""
    return Shape(layers, hidden, hidden // HEAD, 4 * hidden)


def largest_shapes(cost: Callable[[Shape], float], budget: float, relation_heads: int, widest: int) -> list[Shape]:
    """For every hidden size the deepest student within a budget, the one that computes most first.

    Hidden sizes are those that relation heads and attention heads divide.

    Args:
        cost: of a shape; grows with its layers.
        budget: the most that it may cost.
        widest: largest hidden size to consider, such as the teacher's.

    Raises:
        UserError: nothing is that cheap.
    """
    step = lcm(relation_heads, HEAD)
    found = []
    for hidden in range(step, widest + 1, step):
        shapes = [shape_of(layers, hidden) for layers in range(1, DEEPEST + 1)]
        fitting = bisect_right(shapes, budget, key=cost)
        if not fitting:
            break  # wider ones cost more
        found.append(shapes[fitting - 1])
    if not found:
        raise UserError(
            f"budget = {budget:g}: is too small; a student of 1 layer x {step}, the smallest that {relation_heads}"
            f" relation heads divide, costs {cost(shape_of(1, step)):g}"
        )
    return sorted(found, key=lambda shape: shape.layers * shape.hidden**2, reverse=True)
