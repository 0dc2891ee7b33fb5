"""Encoders that end at one layer, as modules: they can be compiled and recorded, because no pass is stopped midway."""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textbook.models.encoder import projections_of

_TUPLES = ("mpnet", "deberta-v2")  # their layers return tuples


class _ReadLayer(nn.Module):
    """Takes the place of the layer that is read: queries, keys and values side by side, in one matrix product."""

    def __init__(self, projections: list[nn.Module], norm: nn.Module | None, returns_tuple: bool) -> None:
        super().__init__()
        self.projections, self.norm, self.returns_tuple = nn.ModuleList(projections), norm, returns_tuple
        self.attention_type = "full_attention"  # the masks that ModernBERT's encoder hands to a layer; not used

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Any:
        if self.norm is not None:
            hidden_states = self.norm(hidden_states)
        weights: list[Any] = [part.weight for part in self.projections]
        biases: list[Any] = [part.bias for part in self.projections]
        bias = None if biases[0] is None else torch.cat(biases)
        states = F.linear(hidden_states, torch.cat(weights), bias)
        return (states, None) if self.returns_tuple else states


def cut_encoder(
    encoder: nn.Module, layer: int, whose: str, wrap: Callable[[nn.Module], nn.Module] = lambda layer: layer
) -> nn.Module:
    """A module that computes the queries, keys and values of a layer, [batch, seq, 3 H], as its `last_hidden_state`.

    It shares all weights with the encoder, which stays as it is, and takes the same inputs. Call it again after
    changing between training and evaluation.

    Args:
        layer: counted from 1.
        whose: name of the encoder in error messages.
        wrap: applied to each layer below, for example to compile it.

    Raises:
        UserError: the encoder does not have this layer, or its architecture is not supported.
    """
    model_type = encoder.config.model_type  # type: ignore[union-attr]
    projections = projections_of(encoder, layer, whose)
    path, layers = next((name, list(part)) for name, part in encoder.named_modules() if isinstance(part, nn.ModuleList))
    norm = getattr(layers[layer - 1], "attn_norm", None)  # ModernBERT's layers normalise their input
    ordered = [projections[name] for name in ("q", "k", "v")] if "q" in projections else [projections["qkv"]]
    last = _ReadLayer(ordered, norm, model_type in _TUPLES)
    cut = _replaced(encoder, path.split("."), nn.ModuleList([*map(wrap, layers[: layer - 1]), last]))
    for name in ("pooler", "final_norm"):  # what comes after the layers
        if cut._modules.get(name) is not None:
            cut._modules[name] = nn.Identity() if name == "final_norm" else None
    if layer == 1 and getattr(cut.get_submodule(path.rpartition(".")[0]), "conv", None) is not None:
        cut.get_submodule(path.rpartition(".")[0])._modules["conv"] = None  # DeBERTa's comes after the first layer
    return cut


def _replaced(module: nn.Module, path: list[str], new: nn.Module) -> nn.Module:
    """A copy of a module that shares all its parts, except for the one at a path."""
    copied = copy.copy(module)
    copied._modules = dict(module._modules)
    name, *rest = path
    part = module._modules[name]
    assert part is not None
    copied._modules[name] = _replaced(part, rest, new) if rest else new
    return copied


def make_recordable(cut: nn.Module) -> None:
    """Keep the relative positions of MPNet and DeBERTa, which are computed on the CPU in part, for each length.

    A CUDA graph cannot contain work of the CPU. The first pass with a length computes its positions, and later ones,
    which may be recorded, use them again.
    """
    encoder: Any = getattr(cut, "encoder", None)
    kept: dict[int, Tensor] = {}

    def position_bias(hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """MPNet's bias of the attention scores, [1, heads, seq, seq]."""
        if (length := hidden_states.shape[1]) not in kept:
            places = torch.arange(length)
            buckets = encoder.relative_position_bucket(places[None] - places[:, None])
            kept[length] = buckets.to(hidden_states.device)
        values: Tensor = encoder.relative_attention_bias(kept[length])
        return values.permute(2, 0, 1)[None]

    def relative_positions(hidden_states: Tensor, *_: Any, **__: Any) -> Tensor | None:
        """DeBERTa's distances between tokens, in buckets, [1, seq, seq]."""
        if (length := hidden_states.shape[1]) not in kept:
            kept[length] = original(hidden_states)
        return kept[length]

    if hasattr(encoder, "compute_position_bias"):
        encoder.compute_position_bias = position_bias
    elif hasattr(encoder, "get_rel_pos"):
        original = encoder.get_rel_pos
        encoder.get_rel_pos = relative_positions
