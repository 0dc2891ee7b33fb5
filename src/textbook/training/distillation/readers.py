"""Read queries, keys and values of a packed or padded batch as rows of tokens, without stopping a pass midway."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from textbook.models.cut import cut_encoder, make_recordable
from textbook.models.encoder import inputs_for
from textbook.models.positions import first_position
from textbook.training.distillation.short_attention import PACKED
from textbook.training.engine.feed import Batch

PACKABLE = ("bert", "roberta", "xlm-roberta", "electra", "distilbert", "modernbert")
"""Architectures whose attention is replaceable; that of MPNet and DeBERTa has a relative bias of its own."""

Read = Callable[[Batch], Tensor]
Compile = Literal["not", "once", "each"]
"""Whether layers are compiled: once for all numbers of tokens, or for each of them."""


def packed_reader(encoder: PreTrainedModel, layer: int, whose: str, longest: int, compile_for: Compile) -> Read:
    """A function from a packed batch to queries, keys and values side by side, [tokens, 3 H].

    Args:
        encoder: one of `PACKABLE`, in the mode, training or evaluation, in which it is read.
        layer: counted from 1.
        longest: no sentence has more tokens.
        compile_for: how often the layers are compiled. All layers of a model share a compilation.
    """
    cut = cut_encoder(encoder, layer, whose, partial(_compiled_layer, compile_for=compile_for))
    first = first_position(encoder.config)

    def read(batch: Batch) -> Tensor:
        inputs = {**batch.inputs, "position_ids": batch.inputs["position_ids"] + first}
        starts = inputs.pop("starts")
        with _attention_of(encoder, PACKED):
            output = cut(**inputs_for(cut, inputs), starts=starts, longest=longest)
        states: Tensor = output.last_hidden_state[0]
        return states

    return read


def padded_reader(encoder: PreTrainedModel, layer: int, whose: str) -> Read:
    """A function from a padded batch to queries, keys and values side by side, [batch * seq, 3 H], for any encoder."""
    cut = cut_encoder(encoder, layer, whose)
    make_recordable(cut)

    def read(batch: Batch) -> Tensor:
        inputs = inputs_for(cut, batch.inputs)
        if encoder.config.model_type == "mpnet":  # transformers would make its mask on the CPU, in part
            inputs["attention_mask"] = _additive(inputs["attention_mask"], encoder.dtype)
        states: Tensor = cut(**inputs).last_hidden_state
        return states.flatten(0, 1)

    return read


def _additive(mask_BL: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask that is added to scores [batch, heads, seq, seq]."""
    zeros = torch.zeros_like(mask_BL, dtype=dtype)
    return zeros.masked_fill(mask_BL == 0, torch.finfo(dtype).min)[:, None, None, :]


def _compiled_layer(layer: nn.Module, compile_for: Compile) -> Any:
    if compile_for == "not":
        return layer
    torch._dynamo.config.recompile_limit = 64  # teacher, students and shapes share the code of a layer
    return torch.compile(layer, dynamic=compile_for == "once")


@contextmanager
def _attention_of(encoder: PreTrainedModel, name: str) -> Iterator[None]:
    """Within the block, a model's attention is the one that transformers knows by a name."""
    config: Any = encoder.config
    before = config._attn_implementation
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = before
