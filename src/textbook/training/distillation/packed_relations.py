"""The relation loss on a GPU: value and gradient in one pass over each sentence of a row of tokens."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textbook.training.distillation import relation_kernels as kernels
from textbook.training.distillation.short_attention import WIDEST, launch_tiles, padded_width

_WARPS = {16: 1, 32: 1, 64: 4}
_HEADS_EACH = {16: 8, 32: 8, 64: 4}
"""Heads that a program computes, by size of its tile."""
_BLOCK = 64


@dataclass(frozen=True)
class Sentences:
    """Where the sentences of a batch lie in a row of tokens, and what they count."""

    starts: Tensor
    """First token of each sentence, int32 [sentences]."""
    lengths: Tensor
    """Tokens of each sentence, int32 [sentences]; 0 for a sentence that is not there."""
    weights: Tensor
    """Weight of each sentence in the loss, fp32 [sentences]."""
    longest: int
    """No sentence has more tokens; at most 512."""

    @classmethod
    def packed(cls, starts: Tensor, weights: Tensor, longest: int) -> "Sentences":
        """Sentences end to end; `starts` also has the end of the last one."""
        return cls(starts[:-1], starts[1:] - starts[:-1], weights, longest)

    @classmethod
    def padded(cls, mask_BL: Tensor, weights: Tensor) -> "Sentences":
        """Sentences of a padded batch whose padding is at their end."""
        batch, length = mask_BL.shape
        starts = torch.arange(0, batch * length, length, dtype=torch.int32, device=mask_BL.device)
        return cls(starts, mask_BL.sum(1, dtype=torch.int32), weights, length)


def packed_relation_loss(teacher: Tensor, student: Tensor, sentences: Sentences, heads: int) -> Tensor:
    """As `relation_loss`, over states in a row of tokens.

    Args:
        teacher, student: queries, keys and values side by side, [tokens, 3 H], each model with its own H and precision.
        heads: relation heads of at most `WIDEST` numbers each; must divide both H.

    Returns:
        A scalar in fp32. The gradient has the student's precision; tokens outside of all sentences have none.

    Raises:
        ValueError: a head is too wide.
    """
    loss: Tensor = _PackedLoss.apply(teacher, student, sentences, heads)  # type: ignore[no-untyped-call]
    return loss


class _PackedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, teacher: Tensor, student: Tensor, sentences: Sentences, heads: int) -> Tensor:
        loss, gradient = _value_and_gradient(teacher.detach(), student.detach(), sentences, 3 * heads)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return None, gradient * outer[0], None, None


def _value_and_gradient(t: Tensor, s: Tensor, sentences: Sentences, heads: int) -> tuple[Tensor, Tensor]:
    """The loss, and its gradient [tokens, 3 H]; `heads` are those of queries, keys and values together."""
    t, s = t.contiguous(), s.contiguous()
    width_t, width_s = t.shape[1] // heads, s.shape[1] // heads
    if max(width_t, width_s) > WIDEST:
        raise ValueError(f"relation heads have widths of {width_t} and {width_s}: at most {WIDEST} are possible")
    count, tokens = len(sentences.starts), len(t)
    gradient = torch.zeros_like(s)
    place = (sentences.starts, sentences.lengths, sentences.weights)
    scales = (width_t**-0.5, width_s**-0.5, heads)
    rows = (t.stride(0), s.stride(0))
    constants = {
        "DT": width_t, "DTP": padded_width(width_t), "DS": width_s, "DSP": padded_width(width_s),
    }  # fmt: skip
    parts = []
    for above, tile in launch_tiles(sentences.longest):
        each = _HEADS_EACH[tile]
        losses = s.new_zeros(count, -(-heads // each), dtype=torch.float32)
        kernels.relation_tile[losses.shape](
            t, s, gradient, losses, *place, *rows, s.stride(0), *scales,
            **constants, ABOVE=above, TILE=tile, EACH=each, num_warps=_WARPS[tile],
        )  # fmt: skip
        parts.append(losses.sum())
    if sentences.longest > _BLOCK:
        losses = s.new_zeros(count, heads, -(-sentences.longest // _BLOCK), dtype=torch.float32)
        logs = [s.new_empty(heads, tokens, dtype=torch.float32) for _ in range(2)]
        block = {**constants, "ABOVE": _BLOCK, "TILE": _BLOCK, "num_warps": _WARPS[_BLOCK]}
        kernels.relation_block_values[losses.shape](
            t, s, *logs, losses, *place, *rows, tokens, *scales, **block
        )  # fmt: skip
        kernels.relation_block_gradients[losses.shape](
            t, s, gradient, *logs, *place, *rows, s.stride(0), tokens, *scales, **block
        )  # fmt: skip
        parts.append(losses.sum())
    return torch.stack(parts).sum(), gradient
