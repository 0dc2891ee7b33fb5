"""Faster fp32 on CPUs that are not Intel's.

PyTorch multiplies fp32 matrices with MKL, which takes its older kernels (AVX2) there; oneDNN, which PyTorch has too,
takes the newest ones (AVX-512), at twice the speed. Where MKL is not slowed down, both are about as fast.
"""

from functools import partial

import torch
from torch import Tensor, nn

_OPERATOR = "_linear_pointwise"  # that of PyTorch's own compiler


def use_onednn(model: nn.Module) -> None:
    """Let the linear layers of a model run on oneDNN, if PyTorch has it; to be used without gradients, on the CPU."""
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, _OPERATOR):  # type: ignore[no-untyped-call]
        for layer in model.modules():
            if type(layer) is nn.Linear:
                layer.forward = partial(_linear, layer)  # type: ignore[method-assign]


def _linear(layer: nn.Linear, states: Tensor) -> Tensor:
    product: Tensor = getattr(torch.ops.mkldnn, _OPERATOR)(states, layer.weight, layer.bias, "none", [], "")
    return product
