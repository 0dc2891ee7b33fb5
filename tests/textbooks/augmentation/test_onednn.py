"""Linear layers give the same results on oneDNN as on MKL."""

import pytest
import torch
from torch import nn

from textbook.textbooks.augmentation.onednn import use_onednn


@pytest.mark.parametrize("shape", [(7, 24), (3, 5, 24), (1, 1, 24)])
@pytest.mark.parametrize("bias", [True, False])
def test_results_match_those_of_the_default_layers(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 40, bias=bias), nn.GELU(), nn.Linear(40, 30_522, bias=bias)).eval()
    states = torch.randn(shape)
    with torch.inference_mode():
        expected = model(states)
        use_onednn(model)
        outputs = model(states)
    assert outputs.shape == expected.shape
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-5)


def test_linear_layers_run_on_onednn() -> None:
    model = nn.Sequential(nn.Linear(8, 8)).eval()
    use_onednn(model)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.inference_mode():
        model(torch.randn(2, 8))
    assert any(event.key == "mkldnn::_linear_pointwise" for event in profile.key_averages())
