"""FLOPs match the counts of PyTorch."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, BertConfig

from textbook.models.encoder import QkvReader
from textbook.models.flops import distillation_flops, encoder_flops, flops_to_qkv

CONFIG = BertConfig(hidden_size=32, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4, vocab_size=50)


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_flops_up_to_the_projections_match_those_of_pytorch(layer):
    # eager attention, because PyTorch does not count the FLOPs of fused attention on the CPU
    encoder = AutoModel.from_config(CONFIG, attn_implementation="eager").eval()
    reader = QkvReader(encoder, layer)
    ids = torch.ones(1, 24, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        reader(ids, torch.ones_like(ids))
    assert flops_to_qkv(CONFIG, layer, 24) == counter.get_total_flops()


def test_flops_of_an_encoder_match_those_of_pytorch():
    encoder = AutoModel.from_config(CONFIG, attn_implementation="eager").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(torch.ones(1, 24, dtype=torch.long))
    pooler = 2 * CONFIG.hidden_size**2
    assert encoder_flops(CONFIG, 24) + pooler == counter.get_total_flops()


def test_the_student_costs_three_forward_passes():
    forward = flops_to_qkv(CONFIG, 3, 24)
    assert distillation_flops(CONFIG, 3, CONFIG, 3, 24) == 4 * forward
