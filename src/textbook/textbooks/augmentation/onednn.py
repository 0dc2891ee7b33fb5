"""Faster fp32 inference on non-Intel CPUs.

PyTorch multiplies fp32 matrices with MKL, which uses only its older AVX2 kernels on CPUs of other vendors. oneDNN, also
part of PyTorch, uses AVX-512 there and is twice as fast. On Intel CPUs both are about equally fast.
"""

from functools import partial

import torch
from torch import Tensor, nn

_OPERATOR = "_linear_pointwise"  # the operator that PyTorch's compiler (Inductor) uses


def use_onednn(model: nn.Module) -> None:
    """Run the linear layers of a model on oneDNN, if PyTorch has it. For inference on a CPU only."""
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, _OPERATOR):  # type: ignore[no-untyped-call]
        for layer in model.modules():
            if type(layer) is nn.Linear:
                layer.forward = partial(_linear, layer)  # type: ignore[method-assign]


def _linear(layer: nn.Linear, states: Tensor) -> Tensor:
    product: Tensor = getattr(torch.ops.mkldnn, _OPERATOR)(states, layer.weight, layer.bias, "none", [], "")
    return product
