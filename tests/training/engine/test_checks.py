"""What models and texts must have in common is checked before the first step."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from textbook.errors import UserError
from textbook.training.engine.checks import check_finite, check_labels, check_loss, check_readable
from textbook.training.engine.tokens import Tokens


def tokens_of(ids, lengths, types=0):
    offsets = np.cumsum([0, *lengths])
    flat = np.resize(np.array(ids, np.uint16), offsets[-1])
    return Tokens(flat, np.full(len(flat), types, np.uint8), offsets, max(ids), max(lengths, default=0))


def config_of(family="bert", **changes):
    shape = {"vocab_size": 50, "max_position_embeddings": 10, "pad_token_id": 1, "type_vocab_size": 2}
    return AutoConfig.for_model(family, **{**shape, **changes})


READABLE = tokens_of([2, 49], [10, 3])


@pytest.mark.parametrize(
    ("config", "tokens", "pad_id", "message"),
    [
        (config_of(), tokens_of([1], []), 1, "teacher: has no texts for the teacher"),
        (config_of(vocab_size=49), READABLE, 1, "has the token id 49, but the teacher's vocabulary ends at 48"),
        (
            config_of(max_position_embeddings=9),
            READABLE,
            1,
            "10 tokens, but the teacher reads at most 9: teacher.max_l",
        ),
        (config_of("roberta"), READABLE, 1, "10 tokens, but the teacher reads at most 8"),
        (config_of("deberta-v2", max_position_embeddings=9), READABLE, 1, "reads at most 9"),
        (config_of(type_vocab_size=1), tokens_of([2], [4], types=1), 1, "has pairs of texts, but the teacher knows 1"),
        (config_of(), READABLE, None, "the teacher has no token to pad with: pad_token_id is None"),
        (config_of(), READABLE, 50, "the teacher has no token to pad with: pad_token_id is 50"),
        (
            config_of("roberta", max_position_embeddings=12),
            READABLE,
            0,
            "counts positions from its pad token 1, but .* 0",
        ),
    ],
)
def test_what_a_model_cannot_read_is_refused(config, tokens, pad_id, message):
    with pytest.raises(UserError, match=message):
        check_readable(config, tokens, pad_id, whose="teacher", section="teacher")


@pytest.mark.parametrize(
    ("config", "tokens", "pad_id"),
    [
        (config_of(), READABLE, 0),
        (config_of(), tokens_of([2], [4], types=1), 1),
        (config_of("roberta", max_position_embeddings=12, type_vocab_size=1), READABLE, 1),
        (config_of("deberta-v2", position_biased_input=False, type_vocab_size=0), tokens_of([2], [99], types=1), 1),
        (config_of("modernbert"), tokens_of([2], [99]), 1),
        (config_of("distilbert"), tokens_of([2], [4], types=1), 1),
    ],
)
def test_what_a_model_can_read_is_accepted(config, tokens, pad_id):
    check_readable(config, tokens, pad_id, whose="teacher", section="teacher")


def test_a_head_must_have_an_output_for_each_label():
    check_labels(config_of(num_labels=3), np.array([0, 2]), "student")
    check_labels(config_of(num_labels=1), np.array([0.5], np.float32), "student")
    for labels, message in ((np.array([0, 3]), "must have at least 4"), (np.array([0.5]), "must have 1, for numbers")):
        with pytest.raises(UserError, match=f"the head of the student has 3 outputs: {message}"):
            check_labels(config_of(num_labels=3), labels, "student")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_and_losses_that_are_not_finite_are_refused_with_the_parameter_to_change(value):
    weights = {"a": torch.ones(2), "b": torch.tensor([0.0, value])}
    with pytest.raises(
        UserError, match=r"^student: the weights are not finite \(b\); try a smaller adapt.lr than 0.01$"
    ):
        check_finite(weights, "student", "adapt.lr", 0.01)
    with pytest.raises(UserError, match=r"^student: the loss of epoch 2 is .*; try a smaller adapt.lr than 0.01$"):
        check_loss(value, "student", 2, "adapt.lr", 0.01)
    check_finite({"a": weights["a"]}, "student", "adapt.lr", 0.01)
    check_loss(0.5, "student", 2, "adapt.lr", 0.01)
