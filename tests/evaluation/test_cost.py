import time

import pytest
import torch
from torch import nn

from textbook.evaluation.cost import (
    count_flops,
    count_parameters,
    make_batch,
    milliseconds,
    milliseconds_by_shape,
    on_cpu,
    weight_bytes,
)
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_encoder
from textbook.models.flops import encoder_flops


class Slow(nn.Module):
    """Takes at least so many milliseconds."""

    def __init__(self, milliseconds: float) -> None:
        super().__init__()
        self.milliseconds = milliseconds

    def forward(self, x):
        time.sleep(self.milliseconds / 1000)
        return x


def test_the_time_is_that_of_one_input_in_milliseconds():
    inputs = [{"x": torch.ones(1)} for _ in range(5)]
    found = milliseconds({"slow": on_cpu(Slow(20)), "slower": on_cpu(Slow(40))}, inputs)
    assert found["slow"] >= 20
    assert found["slower"] >= 40


def test_the_time_of_a_batch_is_shared_by_its_sentences():
    shapes = {(size, 8): {"x": torch.ones(size, 8)} for size in (1, 4)}
    found = milliseconds_by_shape({"slow": on_cpu(Slow(20))}, shapes)
    assert [*found["slow"]] == ["1x8", "4x8"]
    assert found["slow"]["1x8"] >= 20
    assert found["slow"]["4x8"] >= 5


@pytest.mark.parametrize("length", [8, 24])
def test_the_operations_are_those_of_the_layers_and_the_head(tiny_teacher, length):
    model = load_classifier(tiny_teacher, ["a", "b", "c"], seed=0)
    config, before = model.config, model.config._attn_implementation
    head = 2 * config.hidden_size**2 + 2 * config.hidden_size * 3
    assert count_flops(model, length) == encoder_flops(config, length) + head
    assert model.config._attn_implementation == before


def test_a_batch_has_tokens_of_the_vocabulary_and_the_wanted_shape(tiny_teacher):
    model = load_encoder(tiny_teacher)
    batch = make_batch(model, 3, 8)
    assert {part.shape for part in batch.values()} == {(3, 8)}
    assert batch["input_ids"].max() < model.config.vocab_size
    assert model.config.pad_token_id not in batch["input_ids"]


def test_parameters_and_bytes(tiny_teacher):
    parameters = count_parameters(load_encoder(tiny_teacher))
    assert parameters == sum(weight.numel() for weight in load_encoder(tiny_teacher).state_dict().values())
    assert weight_bytes(tiny_teacher) == (tiny_teacher / "model.safetensors").stat().st_size > 4 * parameters
