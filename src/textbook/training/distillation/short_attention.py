"""Attention over sentences that lie end to end, with its gradient, for transformers' models."""

from typing import Any

import torch
import triton
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from textbook.training.distillation import attention_kernels as kernels

PACKED = "textbook_packed"
"""The name of this attention among transformers' attention implementations."""
LONGEST = 512  # tokens of a sentence
WIDEST = 128  # width of a head
TILES = {16: 1, 32: 2, 64: 4}
"""Warps by size of a tile. Sentences longer than the largest are computed in blocks of its size."""


def launch_tiles(longest: int) -> list[tuple[int, int]]:
    """The tiles for sentences of up to `longest` tokens, each after the length up to which a smaller one does."""
    return [(above, tile) for above, tile in zip((0, *TILES), TILES, strict=False) if longest > above]


def padded_width(width: int) -> int:
    """The width of a head in a tile: a power of 2, of at least 16, as matrix products need."""
    return max(16, int(triton.next_power_of_2(width)))


@torch.library.custom_op("textbook::short_attention", mutates_args=())
def short_attention(
    q: Tensor, k: Tensor, v: Tensor, starts: Tensor, seed: Tensor, longest: int, scale: float, window: int, drop: float
) -> Tensor:
    """Attention of each sentence over itself.

    Args:
        q, k, v: [heads, tokens, width] in one precision.
        starts: [sentences + 1], int32, from 0 to the number of tokens.
        seed: [1], int64; decides the dropout mask. Without dropout, any tensor.
        longest: no sentence is longer; at most `LONGEST`.
        window: tokens that are this far apart, or farther, do not see each other.
        drop: dropout probability of the attention weights.

    Returns:
        [tokens, heads, width], contiguous.
    """
    q, k, v = (_last_contiguous(x) for x in (q, k, v))
    output = q.new_empty(q.shape[1], q.shape[0], q.shape[2])
    shared = (starts, seed, *_strides(q, k, v), q.shape[0], scale, window, drop)
    for above, tile in launch_tiles(longest):
        _launch(kernels.tile_forward, q, starts, above, tile, drop, q, k, v, output, *shared)
    if longest > max(TILES):
        _launch(kernels.block_forward, q, starts, max(TILES), longest, drop, q, k, v, output, *shared)
    return output


@torch.library.custom_op("textbook::short_attention_backward", mutates_args=())
def _backward_op(
    gradient: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    starts: Tensor,
    seed: Tensor,
    longest: int,
    scale: float,
    window: int,
    drop: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of queries, keys and values, [tokens, heads, width], contiguous."""
    gradient = gradient.contiguous()
    q, k, v = (_last_contiguous(x) for x in (q, k, v))
    heads, tokens, _ = q.shape
    dq, dk, dv = (torch.empty_like(gradient) for _ in range(3))
    after = (starts, seed, *_strides(q, k, v), heads)
    rest = (scale, window, drop)
    for above, tile in launch_tiles(longest):
        _launch(kernels.tile_backward, q, starts, above, tile, drop, q, k, v, gradient, dq, dk, dv, *after, *rest)
    if longest > max(TILES):
        logs, deltas = (q.new_empty(heads, tokens, dtype=torch.float32) for _ in range(2))
        stats = (logs, deltas, *after, tokens, *rest)
        for kernel, outputs in ((kernels.block_backward_queries, (dq,)), (kernels.block_backward_keys, (dk, dv))):
            _launch(kernel, q, starts, max(TILES), longest, drop, q, k, v, gradient, *outputs, *stats)
    return dq, dk, dv


def _launch(kernel: Any, q: Tensor, starts: Tensor, above: int, upto: int, drop: float, *arguments: Any) -> None:
    """Launch a kernel for all sentences and heads, and for all blocks if `upto` is longer than a tile."""
    tile = min(upto, max(TILES))
    heads, _, width = q.shape
    blocks = (-(-upto // tile),) if above == max(TILES) else ()
    kernel[(len(starts) - 1, heads, *blocks)](
        *arguments,
        D=width,
        DP=padded_width(width),
        ABOVE=above,
        TILE=tile,
        DROPS=drop > 0,
        num_warps=TILES[tile],
    )


def _last_contiguous(x: Tensor) -> Tensor:
    return x if x.stride(2) == 1 else x.contiguous()


def _strides(*states: Tensor) -> tuple[int, ...]:
    """The token and head strides of tensors [heads, tokens, width]."""
    return tuple(x.stride(dimension) for x in states for dimension in (1, 0))


@short_attention.register_fake
def _fake(q: Tensor, *_: Any) -> Tensor:
    return q.new_empty(q.shape[1], q.shape[0], q.shape[2])


@_backward_op.register_fake
def _fake_backward(gradient: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    empty = gradient.new_empty(gradient.shape)
    return empty, torch.empty_like(empty), torch.empty_like(empty)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:5])
    ctx.rest = inputs[5:]


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    gradients = _backward_op(gradient, *ctx.saved_tensors, *ctx.rest)
    return (*(x.transpose(0, 1) for x in gradients), *(None,) * 6)


short_attention.register_autograd(_backward, setup_context=_setup)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    starts: Tensor | None = None,
    longest: int = LONGEST,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of packed sentences in transformers' interface; states are [1, heads, tokens, width].

    Args:
        sliding_window: pairs of tokens must be less apart (ModernBERT).
        starts, longest: as in `short_attention`; the encoder hands them on to here.
    """
    if starts is None:
        raise ValueError("packed attention needs the starts of the sentences")
    # PyTorch's generator: checkpoints and CUDA graphs know it. Without dropout, the seed is not read.
    seed = torch.randint(2**62, (1,), device=query.device) if dropout else starts
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    window = LONGEST if sliding_window is None else sliding_window
    context = short_attention(query[0], key[0], value[0], starts, seed, longest, scale, window, dropout)
    return context[None], None


def _no_mask(*_: Any, **__: Any) -> None:
    """No mask: the starts of the sentences say which tokens see each other."""


AttentionInterface.register(PACKED, _attention)
AttentionMaskInterface.register(PACKED, _no_mask)
