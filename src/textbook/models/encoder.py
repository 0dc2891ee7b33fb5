"""Loading encoders, and reading queries, keys and values out of them without touching their code."""

import re
from collections.abc import Mapping
from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from textbook.errors import UserError

SUPPORTED = "BERT, RoBERTa, XLM-R, ELECTRA, DistilBERT, MPNet, ModernBERT, DeBERTa-v2 and -v3"

# The projections of an attention layer: `layer.3.attention.self.query` (BERT and its kin), `layer.3.attention.q_lin`
# (DistilBERT), `layer.3.attention.attn.q` (MPNet), `layer.3.attention.self.query_proj` (DeBERTa), and all three in one,
# `layers.3.attn.Wqkv` (ModernBERT).
_PROJECTION = re.compile(
    r"(?:^|\.)layers?\.(?P<layer>\d+)\.(?:attention|attn)\.(?:(?:self|attn)\.)?"
    r"(?P<name>(?:query|key|value)(?:_proj)?|[qkv]_lin|[qkv]|Wqkv)$"
)


class _Captured(Exception):
    """Ends a forward pass as soon as all that is wanted has been computed."""


class QkvReader:
    """Runs an encoder up to the queries, keys and values of one layer; what lies above never runs.

    Args:
        encoder: a bare Hugging Face encoder (no task head).
        layer: the layer to read, 1 is the first.
        whose: what an error calls the encoder.

    Raises:
        UserError: the layer isn't there, or the architecture has no separate projections that we know.
    """

    def __init__(self, encoder: nn.Module, layer: int, whose: str = "encoder") -> None:
        self.encoder = encoder
        self._projections = _projections(encoder, layer, whose)

    def __call__(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each [batch, seq, hidden], for token ids, mask and segments [batch, seq].

        Without segments all tokens are of the first sentence.
        """
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            batch["token_type_ids"] = token_type_ids
        found: dict[str, Tensor] = {}
        hooks = [
            module.register_forward_hook(_keep_in(found, name)) for name, module in self._projections.items()
        ]  # for this pass only: another reader of the same encoder has its own
        try:
            with suppress(_Captured):
                self.encoder(**inputs_for(self.encoder, batch))
        finally:
            for hook in hooks:
                hook.remove()
        return found["q"], found["k"], found["v"]


def _keep_in(found: dict[str, Tensor], name: str) -> Any:
    """A hook that keeps the output of a projection, and ends the pass when all three are there."""

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        # A fused projection, `qkv`, gives its three parts side by side.
        found.update(zip(name, output.chunk(len(name), dim=-1), strict=True))
        if len(found) == 3:
            raise _Captured

    return keep


def _projections(encoder: nn.Module, layer: int, whose: str) -> Mapping[str, nn.Module]:
    """The projections of a layer by what they give: `q`, `k` and `v`, or `qkv` where one module gives all three."""
    layers: dict[int, dict[str, nn.Module]] = {}
    for name, module in encoder.named_modules():
        if match := _PROJECTION.search(name):
            gives = "qkv" if match["name"] == "Wqkv" else match["name"][0]
            layers.setdefault(int(match["layer"]) + 1, {})[gives] = module
    if not layers:
        raise UserError(f"{type(encoder).__name__}: unsupported encoder; supported are {SUPPORTED}")
    if layer not in layers:
        raise UserError(f"the {whose} has no layer {layer}: must be from 1 to {max(layers)}; see distill.teacher_layer")
    return layers[layer]


def parts_of(encoder: nn.Module) -> list[nn.Module]:
    """What an encoder runs one after the other: its layers, and what else has weights beside them."""
    modules = dict(encoder.named_modules())
    layers = dict.fromkeys(name[: match.end("layer")] for name in modules if (match := _PROJECTION.search(name)))
    beside = [name for name, _ in encoder.named_children() if not any(layer.startswith(f"{name}.") for layer in layers)]
    return [modules[name] for name in (*beside, *layers) if any(True for _ in modules[name].parameters())]


def inputs_for(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of a batch that a model takes: DistilBERT and MPNet know no `token_type_ids`."""
    known = signature(model.forward).parameters
    return {name: tensor for name, tensor in batch.items() if name in known}


def resolve_layer(layer: int | str, layers: int, model_type: str) -> int:
    """The teacher layer to read (MiniLMv2): 19 of 24 for RoBERTa-large, 21 of 24 for BERT-large, else the last."""
    if isinstance(layer, int):
        return layer
    return {"roberta": 19, "xlm-roberta": 19, "bert": 21}.get(model_type, layers) if layers == 24 else layers


def check_relation_heads(hidden: int, relation_heads: int, whose: str) -> None:
    """Refuse relation heads that don't divide a hidden size.

    Raises:
        UserError: names the allowed numbers.
    """
    if hidden % relation_heads:
        allowed = ", ".join(str(n) for n in range(1, hidden + 1) if hidden % n == 0)
        raise UserError(
            f"distill.relation_heads = {relation_heads}: must divide the {whose}'s hidden size {hidden} ({allowed})"
        )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a Hugging Face folder.

    Raises:
        UserError: there is none.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no tokenizer can be loaded: {str(error).splitlines()[0]}") from None
    files = sorted(set(tokenizer.vocab_files_names.values()))
    if not any((folder / file).is_file() for file in files):  # transformers makes an empty one of nothing
        raise UserError(f"{folder}: no tokenizer: none of {', '.join(files)} is there")
    return tokenizer


def load_config(folder: Path) -> Any:
    """The model configuration of a Hugging Face folder.

    Raises:
        UserError: there is none.
    """
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no model configuration: {str(error).splitlines()[0]}") from None


def load_encoder(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The bare encoder of a Hugging Face folder, from safetensors only.

    Raises:
        UserError: there are no safetensors.
    """
    try:
        encoder: PreTrainedModel = AutoModel.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no encoder can be loaded: {str(error).splitlines()[0]}") from None
    return encoder
