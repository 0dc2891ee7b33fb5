"""Maximum input length of each architecture."""

from contextlib import nullcontext

import pytest
import torch
from transformers import AutoConfig, DebertaV2Config, DebertaV2Model

from textbook.models.positions import max_tokens


@pytest.mark.parametrize(
    ("family", "expected"),
    [("bert", 514), ("roberta", 512), ("mpnet", 512), ("deberta-v2", 514), ("modernbert", None)],
)
def test_the_maximum_input_length_of_each_architecture(family, expected):
    assert max_tokens(AutoConfig.for_model(family, pad_token_id=1, max_position_embeddings=514)) == expected


@pytest.mark.parametrize(("absolute", "expected"), [(True, 8), (False, None)])
def test_deberta_reads_as_many_tokens_as_it_has_absolute_positions(absolute, expected):
    shape = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = DebertaV2Config(**shape, intermediate_size=8, max_position_embeddings=8, position_biased_input=absolute)
    assert max_tokens(config) == expected
    model, ids = DebertaV2Model(config).eval(), torch.ones(1, 9, dtype=torch.long)
    with pytest.raises(RuntimeError, match="size of tensor") if absolute else nullcontext():
        model(ids)
