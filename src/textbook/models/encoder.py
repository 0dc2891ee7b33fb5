"""Load encoders and read their queries, keys and values without changing their code."""

import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from textbook.errors import UserError
from textbook.models.folders import model_folder, reading
from textbook.models.weights import load_model

SUPPORTED = "BERT, RoBERTa, XLM-R, ELECTRA, DistilBERT, MPNet, ModernBERT, DeBERTa-v2 and -v3"

_PROBE = "a 1 \N{SNOWMAN}"  # hardly a vocabulary has all of it

# Names of the projections of an attention layer: `layer.3.attention.self.query` (BERT and relatives),
# `layer.3.attention.q_lin` (DistilBERT), `layer.3.attention.attn.q` (MPNet), `layer.3.attention.self.query_proj`
# (DeBERTa), and `layers.3.attn.Wqkv` (ModernBERT, all three fused).
_PROJECTION = re.compile(
    r"(?:^|\.)layers?\.(?P<layer>\d+)\.(?:attention|attn)\.(?:(?:self|attn)\.)?"
    r"(?P<name>(?:query|key|value)(?:_proj)?|[qkv]_lin|[qkv]|Wqkv)$"
)


class _Captured(Exception):
    """Stops a forward pass once queries, keys and values have been captured."""


class QkvReader:
    """Runs an encoder up to the queries, keys and values of one layer. Later modules do not run.

    Args:
        encoder: a bare Hugging Face encoder (no task head).
        layer: the layer to read, counted from 1.
        whose: name of the encoder in error messages.

    Raises:
        UserError: the encoder does not have this layer, or its architecture is not supported.
    """

    def __init__(self, encoder: nn.Module, layer: int, whose: str = "encoder") -> None:
        self.encoder = encoder
        self._projections = projections_of(encoder, layer, whose)

    def __call__(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each [batch, seq, hidden], for token ids, mask and segments [batch, seq].

        Without segments, all tokens belong to the first sentence.
        """
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            batch["token_type_ids"] = token_type_ids
        outputs: dict[str, Tensor] = {}
        # The hooks are registered for this pass only, so that readers of the same encoder do not interfere.
        hooks = [
            module.register_forward_hook(_capture_hook(outputs, name)) for name, module in self._projections.items()
        ]
        try:
            with suppress(_Captured):
                self.encoder(**inputs_for(self.encoder, batch))
        finally:
            for hook in hooks:
                hook.remove()
        return outputs["q"], outputs["k"], outputs["v"]


def _capture_hook(outputs: dict[str, Tensor], name: str) -> Any:
    """A hook that stores the output of a projection, and stops the pass once all three are stored."""

    def capture(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        # A fused projection (`qkv`) concatenates its three outputs along the last dimension.
        outputs.update(zip(name, output.chunk(len(name), dim=-1), strict=True))
        if len(outputs) == 3:
            raise _Captured

    return capture


def projections_of(encoder: nn.Module, layer: int, whose: str) -> Mapping[str, nn.Module]:
    """The projections of a layer by output: `q`, `k` and `v`, or `qkv` if one module computes all three.

    Raises:
        UserError: the encoder does not have this layer, or its architecture is not supported.
    """
    layers: dict[int, dict[str, nn.Module]] = {}
    for name, module in encoder.named_modules():
        if match := _PROJECTION.search(name):
            output = "qkv" if match["name"] == "Wqkv" else match["name"][0]
            layers.setdefault(int(match["layer"]) + 1, {})[output] = module
    if not layers:
        raise UserError(f"{type(encoder).__name__}: unsupported encoder; supported are {SUPPORTED}")
    if layer not in layers:
        raise UserError(f"the {whose} has no layer {layer}: must be from 1 to {max(layers)}; see distill.teacher_layer")
    return layers[layer]


def parts_of(encoder: nn.Module) -> list[nn.Module]:
    """The modules that an encoder runs in sequence: its layers, and the other top-level modules with parameters."""
    modules = dict(encoder.named_modules())
    layers = dict.fromkeys(name[: match.end("layer")] for name in modules if (match := _PROJECTION.search(name)))
    others = [name for name, _ in encoder.named_children() if not any(layer.startswith(f"{name}.") for layer in layers)]
    return [modules[name] for name in (*others, *layers) if any(True for _ in modules[name].parameters())]


def inputs_for(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a batch that a model accepts. DistilBERT and MPNet do not accept `token_type_ids`."""
    accepted = signature(model.forward).parameters
    return {name: tensor for name, tensor in batch.items() if name in accepted}


def resolve_layer(layer: int | str, layers: int, model_type: str) -> int:
    """The teacher layer to read, following MiniLMv2 if `layer` is "auto".

    MiniLMv2 reads layer 19 of 24 for RoBERTa-large and 21 of 24 for BERT-large. For other models it is the last layer.
    """
    if isinstance(layer, int):
        return layer
    return {"roberta": 19, "xlm-roberta": 19, "bert": 21}.get(model_type, layers) if layers == 24 else layers


def check_relation_heads(hidden: int, relation_heads: int, whose: str) -> None:
    """Check that the number of relation heads divides a hidden size.

    Raises:
        UserError: it does not; the message lists the allowed numbers.
    """
    if hidden % relation_heads:
        allowed = ", ".join(str(n) for n in range(1, hidden + 1) if hidden % n == 0)
        raise UserError(
            f"distill.relation_heads = {relation_heads}: must divide the {whose}'s hidden size {hidden} ({allowed})"
        )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a Hugging Face folder, with a token to pad with.

    Raises:
        UserError: the folder has no tokenizer that can be loaded, or no token that can pad.
    """
    files = model_folder(folder)
    with reading(folder, "a tokenizer"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            files, local_files_only=True, trust_remote_code=False
        )
        tokenizer(_PROBE)  # a vocabulary without its unknown token fails here
    names = sorted(set(tokenizer.vocab_files_names.values()))
    if not any((files / name).is_file() for name in names):  # without files, transformers returns an empty tokenizer
        raise UserError(f"{folder}: has no tokenizer: must contain one of {', '.join(names)}")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = _pad_token(folder, tokenizer)
    return tokenizer


def _pad_token(folder: Path, tokenizer: PreTrainedTokenizerBase) -> str:
    """The token to pad with, for a tokenizer that names none: that of the model, or one with the usual name."""
    usual: int | None = getattr(load_config(folder), "pad_token_id", None)
    vocabulary = tokenizer.get_vocab()
    names = [name for name, number in vocabulary.items() if number == usual]
    names += [name for name in ("[PAD]", "<pad>") if name in vocabulary]
    if not names:
        raise UserError(f"{folder}: its tokenizer has no pad token; name one as pad_token in tokenizer_config.json")
    warnings.warn(f"{folder}: its tokenizer names no pad token; {names[0]} is taken", stacklevel=3)
    return names[0]


def load_config(folder: Path) -> Any:
    """Load the model configuration of a Hugging Face folder.

    Raises:
        UserError: the folder has no configuration that can be loaded.
    """
    files = model_folder(folder)
    with reading(folder, "a model configuration"):
        return AutoConfig.from_pretrained(files, local_files_only=True, trust_remote_code=False)


def load_encoder(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load the bare encoder of a Hugging Face folder, from safetensors only.

    Raises:
        UserError: the folder has no safetensors that can be loaded, or they are not those of the encoder.
    """
    return load_model(AutoModel, folder, "an encoder", dtype=dtype)


def check_supported(config: Any) -> None:
    """Check that the queries, keys and values of an architecture can be read. Allocates no memory for its weights.

    Raises:
        UserError: they cannot.
    """
    with reading(Path(config.name_or_path), "the architecture"), torch.device("meta"):
        encoder = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    projections_of(encoder, 1, "encoder")
