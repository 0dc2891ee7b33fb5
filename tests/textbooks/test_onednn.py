"""Linear layers on oneDNN give what they give on MKL."""

import pytest
import torch
from torch import nn

from textbook.textbooks.onednn import use_onednn


@pytest.mark.parametrize("shape", [(7, 24), (3, 5, 24), (1, 1, 24)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_values_are_those_of_the_plain_layers(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 40, bias=bias), nn.GELU(), nn.Linear(40, 30_522, bias=bias)).eval()
    states = torch.randn(shape)
    with torch.inference_mode():
        plain = model(states)
        use_onednn(model)
        fast = model(states)
    assert fast.shape == plain.shape
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)


def test_the_layers_are_really_run_by_it() -> None:
    model = nn.Sequential(nn.Linear(8, 8)).eval()
    use_onednn(model)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.inference_mode():
        model(torch.randn(2, 8))
    assert any(event.key == "mkldnn::_linear_pointwise" for event in profile.key_averages())
