"""The cost of a student shape, and the largest shapes within a budget."""

from bisect import bisect_right
from collections.abc import Callable
from math import lcm
from typing import Any

import torch

from textbook.errors import UserError
from textbook.models.flops import encoder_flops
from textbook.models.student import make_student
from textbook.params import Student

HEAD_WIDTH = 32  # as in MiniLM's students with hidden size 384
MAX_LAYERS = 12  # as in a base-size teacher


def sentence_flops(shape: Student, teacher_config: Any, tokens: int) -> float:
    """FLOPs of a student's layers for one sentence of `tokens` tokens."""
    with torch.device("meta"):
        config = make_student(shape, teacher_config, seed=0).config
    return float(encoder_flops(config, tokens))


def usual_shape(layers: int, hidden: int) -> Student:
    """A shape of the usual proportions: heads of width 32, and a feed-forward size of four times the hidden size."""
    return Student(layers=layers, hidden=hidden, heads=hidden // HEAD_WIDTH, intermediate=4 * hidden)


def largest_shapes(cost: Callable[[Student], float], budget: float, relation_heads: int, widest: int) -> list[Student]:
    """The deepest student within a budget for each hidden size, in descending order of FLOPs.

    Hidden sizes are multiples of the relation heads and of the width of an attention head.

    Args:
        cost: the cost of a shape; it must increase with the number of layers.
        budget: the highest cost allowed.
        widest: the largest hidden size to consider, such as the teacher's.

    Raises:
        UserError: the budget is below the cost of the smallest student.
    """
    step = lcm(relation_heads, HEAD_WIDTH)
    largest = []
    for hidden in range(step, widest + 1, step):
        shapes = [usual_shape(layers, hidden) for layers in range(1, MAX_LAYERS + 1)]
        affordable = bisect_right(shapes, budget, key=cost)
        if not affordable:
            break  # a larger hidden size costs more
        largest.append(shapes[affordable - 1])
    if not largest:
        raise UserError(
            f"budget = {budget:g}: is too small; the smallest student with {relation_heads} relation heads,"
            f" 1 layer x {step}, costs {cost(usual_shape(1, step)):g}"
        )
    return sorted(largest, key=lambda shape: shape.layers * shape.hidden**2, reverse=True)
