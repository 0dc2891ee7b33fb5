import time

import pytest
import torch
from torch import nn

from textbook.evaluation.cost import (
    count_flops,
    count_parameters,
    dummy_batch,
    milliseconds,
    milliseconds_by_shape,
    on_cpu,
    weight_bytes,
)
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_encoder
from textbook.models.flops import encoder_flops


class Slow(nn.Module):
    """A module that takes at least the given number of milliseconds."""

    def __init__(self, milliseconds: float) -> None:
        super().__init__()
        self.milliseconds = milliseconds

    def forward(self, x):
        time.sleep(self.milliseconds / 1000)
        return x


def test_milliseconds_measures_one_input():
    inputs = [{"x": torch.ones(1)} for _ in range(5)]
    latencies = milliseconds({"slow": on_cpu(Slow(20)), "slower": on_cpu(Slow(40))}, inputs)
    assert latencies["slow"] >= 20
    assert latencies["slower"] >= 40


def test_milliseconds_by_shape_are_per_sentence():
    shapes = {(size, 8): {"x": torch.ones(size, 8)} for size in (1, 4)}
    latencies = milliseconds_by_shape({"slow": on_cpu(Slow(20))}, shapes)
    assert [*latencies["slow"]] == ["1x8", "4x8"]
    assert latencies["slow"]["1x8"] >= 20
    assert latencies["slow"]["4x8"] >= 5


@pytest.mark.parametrize("length", [8, 24])
def test_flops_are_counted_for_the_layers_and_the_head(tiny_teacher, length):
    model = load_classifier(tiny_teacher, ["a", "b", "c"], seed=0)
    config, before = model.config, model.config._attn_implementation
    head = 2 * config.hidden_size**2 + 2 * config.hidden_size * 3
    assert count_flops(model, length) == encoder_flops(config, length) + head
    assert model.config._attn_implementation == before


def test_a_dummy_batch_has_the_given_shape_and_tokens_of_the_vocabulary(tiny_teacher):
    model = load_encoder(tiny_teacher)
    batch = dummy_batch(model, 3, 8)
    assert {part.shape for part in batch.values()} == {(3, 8)}
    assert batch["input_ids"].max() < model.config.vocab_size
    assert model.config.pad_token_id not in batch["input_ids"]


def test_parameters_and_bytes(tiny_teacher):
    parameters = count_parameters(load_encoder(tiny_teacher))
    assert parameters == sum(weight.numel() for weight in load_encoder(tiny_teacher).state_dict().values())
    assert weight_bytes(tiny_teacher) == (tiny_teacher / "model.safetensors").stat().st_size > 4 * parameters
