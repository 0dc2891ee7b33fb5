"""The state of PyTorch's random numbers, on the CPU and on the GPU of this process."""

from collections.abc import Mapping

import torch
from torch import Tensor


def random_state() -> dict[str, Tensor]:
    """The states by kind of device, `cpu` and with a GPU `cuda`: tensors of bytes on the CPU."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_state(states: Mapping[str, Tensor]) -> None:
    """Go on from states of `random_state`. A kind of device that has none here, or none in `states`, is left alone."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
