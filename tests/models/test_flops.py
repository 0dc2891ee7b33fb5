import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, BertConfig

from textbook.models.encoder import QkvReader
from textbook.models.flops import distillation_flops, encoder_flops, flops_to_qkv

CONFIG = BertConfig(hidden_size=32, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4, vocab_size=50)


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_flops_are_those_that_pytorch_counts(layer):
    # the plain attention: PyTorch doesn't count what its fused one does on the CPU
    encoder = AutoModel.from_config(CONFIG, attn_implementation="eager").eval()
    reader = QkvReader(encoder, layer)
    ids = torch.ones(1, 24, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        reader(ids, torch.ones_like(ids))
    assert flops_to_qkv(CONFIG, layer, 24) == counter.get_total_flops()


def test_the_flops_of_a_whole_encoder_are_those_that_pytorch_counts():
    encoder = AutoModel.from_config(CONFIG, attn_implementation="eager").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(torch.ones(1, 24, dtype=torch.long))
    pooler = 2 * CONFIG.hidden_size**2
    assert encoder_flops(CONFIG, 24) + pooler == counter.get_total_flops()


def test_the_student_counts_three_times():
    alone = flops_to_qkv(CONFIG, 3, 24)
    assert distillation_flops(CONFIG, 3, CONFIG, 3, 24) == 4 * alone
