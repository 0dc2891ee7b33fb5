"""Layers that are faster on a CPU while a model learns from short sentences: dropout, and attention with a gradient.

PyTorch's generator takes a third of a small student's forward pass; this one takes a seventh of that. A mask is a
function of a key and of the position in the tensor. The key is drawn from PyTorch's generator, whose state a checkpoint
has, so a resumed run has the masks that it would have had; they do not depend on the number of threads.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from textbook.training.engine.cpu_engine import PLAIN, cpu_engine

_ATTENTION = "textbook_cpu"
_BITS = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}
"""Integers of the size of a number, by its precision."""


@contextmanager
def faster_on_cpu(model: nn.Module) -> Iterator[None]:
    """Within the block, a model on the CPU has these layers; on another device, or without numba, nothing changes.

    Attention is replaced only where it is PyTorch's (`sdpa`), and only in passes with dropout or a gradient.
    """
    if next(model.parameters()).device.type != "cpu" or cpu_engine() == PLAIN:
        yield
        return
    replaced = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Dropout
    ]
    encoder = model if isinstance(model, PreTrainedModel) and model.config._attn_implementation == "sdpa" else None
    for parent, name, child in replaced:
        fast = FastDropout(child.p)
        fast.train(child.training)
        setattr(parent, name, fast)
    if encoder:
        encoder.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        if encoder:
            encoder.set_attn_implementation("sdpa")
        for parent, name, child in replaced:
            child.train(getattr(parent, name).training)
            setattr(parent, name, child)


class FastDropout(nn.Module):
    """As `torch.nn.Dropout`, with other random numbers. `p` is the probability of a zero."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop numbers of any tensor on the CPU, in training only."""
        return dropped(x, self.p) if self.training and self.p else x


def dropped(x: Tensor, p: float) -> Tensor:
    """Set numbers of a CPU tensor to zero with probability `p`, and divide the others by 1 - p."""
    return x * _mask(x.shape, x.dtype, p) if p < 1 else torch.zeros_like(x)


def _mask(shape: torch.Size, dtype: torch.dtype, p: float) -> Tensor:
    """A tensor with 0 or 1 / (1 - p)."""
    bits = torch.empty(shape, dtype=_BITS[dtype])
    kept = torch.tensor(1 / (1 - p), dtype=dtype).view(_BITS[dtype])
    low, high = torch.randint(2**32, (2,)).tolist()
    limit = np.uint32(min(2**32 - 1, round(p * 2**32)))
    _compiled_fill()(bits.view(-1).numpy(), np.uint32(low), np.uint32(high), limit, kept.item())
    return bits.view(dtype)


@cache
def _compiled_fill() -> Callable[..., None]:
    from numba import njit  # not on a bare GPU machine, where this module is imported too

    compiled: Callable[..., None] = njit(nogil=True, cache=True)(_fill)
    return compiled


def _fill(out: NDArray[Any], low: np.uint32, high: np.uint32, limit: np.uint32, kept: int) -> None:
    """Write `kept` where the hash of key and position is at least `limit`, otherwise 0.

    The hash is the finaliser of MurmurHash3, with half of the key before it and half of it within.
    """
    value, zero = out.dtype.type(kept), out.dtype.type(0)
    for n in range(len(out)):
        hashed = np.uint32(n) ^ low
        hashed = np.uint32((hashed ^ (hashed >> np.uint32(16))) * np.uint32(0x85EBCA6B))
        hashed = hashed ^ (hashed >> np.uint32(13)) ^ high
        hashed = np.uint32(hashed * np.uint32(0xC2B2AE35))
        hashed = hashed ^ (hashed >> np.uint32(16))
        out[n] = value if hashed >= limit else zero


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention of encoders, in transformers' interface. Passes without dropout and gradient are PyTorch's.

    PyTorch's has a faster forward pass without dropout, whose backward pass takes two and a half times as long.
    """
    if not dropout and not torch.is_grad_enabled():
        context, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return context, None
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, -torch.inf)
    weights = scores.softmax(-1)
    if dropout:
        weights = dropped(weights, dropout)
    return (weights @ value).transpose(1, 2).contiguous(), weights


AttentionInterface.register(_ATTENTION, _attention)
AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
