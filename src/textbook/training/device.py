"""What to train on, and in which precision."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Device:
    """A device and whether its matrix products run in bf16."""

    kind: torch.device
    bf16: bool

    @property
    def dtype(self) -> torch.dtype:
        """The precision of weights that are only read."""
        return torch.bfloat16 if self.bf16 else torch.float32

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision over fp32 weights, where the device has it."""
        return torch.autocast(self.kind.type, torch.bfloat16, enabled=self.bf16)

    def __str__(self) -> str:
        return f"{self.kind.type} {'bf16' if self.bf16 else 'fp32'}"


def best_device() -> Device:
    """The GPU if there is one, else the CPU; bf16 where the hardware multiplies in it (elsewhere fp32 is faster)."""
    if torch.cuda.is_available():
        return Device(torch.device("cuda"), torch.cuda.is_bf16_supported(including_emulation=False))
    return Device(torch.device("cpu"), torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
