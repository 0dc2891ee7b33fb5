import time

import torch
from torch import nn

from textbook.evaluation.cost import count_parameters, cpu_milliseconds, weight_bytes
from textbook.models.encoder import load_encoder


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
    found = cpu_milliseconds({"slow": Slow(20), "slower": Slow(40)}, inputs)
    assert found["slow"] >= 20
    assert found["slower"] >= 40


def test_parameters_and_bytes(tiny_teacher):
    parameters = count_parameters(load_encoder(tiny_teacher))
    assert parameters == sum(weight.numel() for weight in load_encoder(tiny_teacher).state_dict().values())
    assert weight_bytes(tiny_teacher) == (tiny_teacher / "model.safetensors").stat().st_size > 4 * parameters
