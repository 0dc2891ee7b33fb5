"""Masked-LM logits at selected positions only."""

from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
)

from textbook.models.masked_lm import logits_at

SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}


@pytest.mark.parametrize(
    ("model_class", "config"),
    [
        (BertForMaskedLM, BertConfig(**SHAPE)),
        (DistilBertForMaskedLM, DistilBertConfig(n_layers=2, n_heads=4, dim=32, hidden_dim=64)),
        (
            MPNetForMaskedLM,
            MPNetConfig(num_hidden_layers=2, num_attention_heads=4, hidden_size=32, intermediate_size=64),
        ),
    ],
)
def test_only_the_selected_positions_are_computed_with_the_same_logits(model_class: Any, config: Any) -> None:
    torch.manual_seed(0)
    model = model_class(config).eval()
    ids = torch.randint(5, 1000, (3, 12))
    mask = torch.tensor([[1] * 12, [1] * 9 + [0] * 3, [1] * 12])
    positions = torch.tensor([3, 8, 11])
    decoded: list[torch.Size] = []
    hook = model.get_output_embeddings().register_forward_hook(lambda *args: decoded.append(args[2].shape))
    with torch.no_grad():
        logits = logits_at(model, {"input_ids": ids, "attention_mask": mask}, torch.arange(len(ids)), positions)
        hook.remove()
        all_logits = model(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(logits, all_logits[torch.arange(3), positions])
    assert decoded == [(3, 1, config.vocab_size)]
