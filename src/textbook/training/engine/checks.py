"""Whether models and texts suit each other: checked before the first step, and again when the model was trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textbook.errors import UserError
from textbook.models.positions import first_position, max_tokens
from textbook.training.engine.tokens import Tokens

_SAMPLE = 1000  # texts whose segments are looked at; in a task or a textbook of pairs, every text has two


def check_readable(config: Any, tokens: Tokens, pad_id: int | None, *, whose: str, section: str) -> None:
    """Check that a model can read tokens: vocabulary, length, segments and padding.

    Args:
        config: the configuration of the model.
        pad_id: the token id that fills up a batch.
        whose: name of the model in error messages.
        section: the parameters with `max_length`, such as `teacher`.

    Raises:
        UserError: it cannot, or there are no texts.
    """
    prefix = f"{tokens.folder or section}: "
    if not len(tokens):
        raise UserError(f"{prefix}has no texts for the {whose}: must have at least one")
    if tokens.largest >= config.vocab_size:
        raise UserError(
            f"{prefix}has the token id {tokens.largest}, but the {whose}'s vocabulary ends at {config.vocab_size - 1}:"
            " the tokenizer is not the model's own, or tokens were added to it and not to the model"
            " (resize_token_embeddings)"
        )
    longest = max_tokens(config)
    if longest is not None and tokens.longest > longest:
        raise UserError(
            f"{prefix}has a text of {tokens.longest} tokens, but the {whose} reads at most {longest}:"
            f" {section}.max_length must not exceed that"
        )
    segments = getattr(config, "type_vocab_size", 0)
    sample = tokens.types[: tokens.offsets[min(_SAMPLE, len(tokens))]]
    if segments and sample.max(initial=0) >= segments:
        raise UserError(
            f"{prefix}has pairs of texts, but the {whose} knows {segments} segment (type_vocab_size in config.json):"
            " it needs 2, or a tokenizer that does not number them"
        )
    check_padding(config, pad_id, whose)


def check_padding(config: Any, pad_id: int | None, whose: str) -> None:
    """Check that a model can read batches that are filled up with the token `pad_id`.

    Raises:
        UserError: it cannot.
    """
    if pad_id is None or pad_id >= config.vocab_size:
        raise UserError(
            f"the {whose} has no token to pad with: pad_token_id is {pad_id}, and its vocabulary ends at"
            f" {config.vocab_size - 1}; name one as pad_token in tokenizer_config.json"
        )
    if first_position(config) not in (0, pad_id + 1):
        raise UserError(
            f"the {whose} counts positions from its pad token {config.pad_token_id}, but its tokenizer pads with"
            f" {pad_id}: pad_token_id in config.json and pad_token in tokenizer_config.json must be the same"
        )


def check_labels(config: Any, labels: NDArray[Any], whose: str) -> None:
    """Check that a classifier has an output for each label, or one output for numbers.

    Raises:
        UserError: it has not.
    """
    outputs = int(config.num_labels)
    numbers = np.issubdtype(labels.dtype, np.floating)
    if (numbers and outputs != 1) or (not numbers and labels.max(initial=0) >= outputs):
        wanted = "1, for numbers" if numbers else f"at least {int(labels.max()) + 1}, for the classes of the task"
        raise UserError(f"the head of the {whose} has {outputs} outputs: must have {wanted}")


def check_finite(weights: Mapping[str, Tensor], whose: str, key: str, rate: float) -> None:
    """Check the weights of a model that was trained.

    Args:
        weights: by name.
        key, rate: the parameter with the learning rate, and its value.

    Raises:
        UserError: a weight is not finite.
    """
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise UserError(f"{whose}: the weights are not finite ({name}); try a smaller {key} than {rate:g}")


def check_loss(loss: float, whose: str, epoch: int, key: str, rate: float) -> None:
    """Check the mean loss of an epoch.

    Raises:
        UserError: it is not finite.
    """
    if not np.isfinite(loss):
        raise UserError(f"{whose}: the loss of epoch {epoch} is {loss}; try a smaller {key} than {rate:g}")
