import torch
from torch import nn

from textbook.evaluation.cost import count_parameters, cpu_milliseconds, weight_bytes
from textbook.models.encoder import load_encoder


class Busy(nn.Module):
    """Multiplies a matrix by itself some times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, x):
        for _ in range(self.times):
            x = x @ x
        return x


def test_more_work_takes_more_time():
    inputs = [{"x": torch.eye(300)} for _ in range(5)]
    found = cpu_milliseconds({"little": Busy(1), "much": Busy(100)}, inputs)
    assert found["much"] > 10 * found["little"] > 0


def test_parameters_and_bytes(tiny_teacher):
    parameters = count_parameters(load_encoder(tiny_teacher))
    assert parameters == sum(weight.numel() for weight in load_encoder(tiny_teacher).state_dict().values())
    assert weight_bytes(tiny_teacher) == (tiny_teacher / "model.safetensors").stat().st_size > 4 * parameters
