"""Load a model, and check that its weights are those that the architecture needs.

transformers gives random values to weights that a folder lacks, and leaves out weights that it does not know. For a
head that is right. For an encoder it would be a random model, without a word.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from textbook.errors import UserError
from textbook.models.folders import model_folder, reading

SHOWN = 3  # names of weights in a message
_WRAPPERS = {
    "_orig_mod": "torch.compile",
    "module": "DataParallel and DeepSpeed",
    "_fsdp_wrapped_module": "FSDP",
    "_checkpoint_wrapped_module": "activation checkpointing",
    "base_model": "PEFT",
    "auto_model": "sentence-transformers",
}
"""Parts of the names of weights, and the wrappers of models that add them."""
_REPORTERS = ("transformers.modeling_utils", "transformers.distributed.tensor_parallel")
_BUFFERS = ("position_ids", "token_type_ids", "inv_freq")  # old versions saved them; they follow from the configuration


def load_model(
    architecture: Any,
    folder: Path,
    what: str,
    *,
    complete: bool = False,
    dtype: torch.dtype = torch.float32,
    **settings: Any,
) -> PreTrainedModel:
    """Load a model from safetensors only, without code from its folder.

    Args:
        architecture: one of the auto classes of transformers.
        what: what it is, in error messages.
        complete: the head must be in the folder too. Otherwise a head that is not there, or that has other outputs,
            is a new one with random weights.
        settings: replace values of the configuration.

    Raises:
        UserError: the folder has no such model, or its weights do not suit the architecture or are not finite.
    """
    files = model_folder(folder)
    offline = {"local_files_only": True, "trust_remote_code": False}
    with reading(folder, what), _without_report():
        config = AutoConfig.from_pretrained(files, **settings, **offline)
        model, info = architecture.from_pretrained(
            files,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # `check_weights` names them
            output_loading_info=True,
            **offline,
        )
    check_weights(folder, what, model, info, complete=complete)
    with reading(folder, what), torch.no_grad():  # of a configuration that contradicts itself, only a pass tells
        ids = torch.zeros(1, 2, dtype=torch.int64)
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    loaded: PreTrainedModel = model
    return loaded


def check_weights(folder: Path, what: str, model: PreTrainedModel, info: dict[str, Any], *, complete: bool) -> None:
    """Check what transformers says about the weights that it loaded. A pooler counts as a part of the head.

    Args:
        info: `missing_keys`, `unexpected_keys` and `mismatched_keys` with both shapes.
        complete: the weights of the head count too.

    Raises:
        UserError: a weight is missing, left over, of another shape or not finite.
    """
    encoder = model.base_model
    prefix = "" if encoder is model else f"{model.base_model_prefix}."
    names = {prefix + name for name in encoder.state_dict()}
    parts = {name for name, _ in encoder.named_children() if name != "pooler"}

    def counts(name: str) -> bool:
        return complete or (name in names and "pooler" not in name.split("."))

    start = f"{folder}: cannot load {what}:"
    missing = sorted(filter(counts, info["missing_keys"]))
    left_over = sorted(name for name in info["unexpected_keys"] if _is_of_encoder(name, parts))
    if missing or left_over:
        lists = {"missing weights": missing, "weights that are left over": left_over}
        text = "; ".join(f"{kind}: {_some(weights)}" for kind, weights in lists.items() if weights)
        raise UserError(f"{start} {text}{_likely_reason(left_over)}")
    for name, saved, wanted in sorted(info["mismatched_keys"]):
        if counts(name):
            raise UserError(f"{start} {name} has the shape {list(saved)}, but config.json asks for {list(wanted)}")
    if replaced := sorted(name for name, _, _ in info["mismatched_keys"]):
        warnings.warn(
            f"{folder}: its head has other outputs and is replaced by a new one: {_some(replaced)}", stacklevel=3
        )
    broken = [name for name, weight in model.state_dict().items() if not weight.isfinite().all()]
    if broken:
        raise UserError(f"{start} weights that are not finite: {_some(broken)}")


def _is_of_encoder(name: str, parts: set[str]) -> bool:
    """Whether a weight that was left over belongs to an encoder that has these parts, whatever wraps it."""
    levels = name.split(".")
    return bool(parts & set(levels)) and "pooler" not in levels and levels[-1] not in _BUFFERS


def _likely_reason(left_over: Iterable[str]) -> str:
    levels = {level for name in left_over for level in name.split(".")}
    for part, wrapper in _WRAPPERS.items():
        if part in levels:
            return f"; {wrapper} added {part!r} to the names: save the model that it wraps"
    return ""


def _some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


@contextmanager
def _without_report() -> Iterator[None]:
    """Mute transformers' table of missing and left-over weights, which `check_weights` replaces."""
    loggers = [logging.getLogger(name) for name in _REPORTERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
