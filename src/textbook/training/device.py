"""What to train on, in which precision, and how fast it can multiply."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from textbook.errors import UserError

# Dense bf16 matrix products per second of NVIDIA's data sheets, by what a device's name has in it; the first that fits.
PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "GH200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "A30": 165e12,
    "A10": 125e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L4": 121e12,
}


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

    def synchronize(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.kind.type == "cuda":
            torch.cuda.synchronize(self.kind)

    def __str__(self) -> str:
        return f"{self.kind.type} {'bf16' if self.bf16 else 'fp32'}"


def device_for(precision: str) -> Device:
    """The best device, in `fp32` or `bf16`, or with `auto` in the precision that is faster there."""
    best = best_device()
    return best if precision == "auto" else Device(best.kind, precision == "bf16")


def best_device() -> Device:
    """The GPU if there is one, else the CPU; bf16 where the hardware multiplies in it (elsewhere fp32 is faster)."""
    return best_devices()[0]


def best_devices() -> list[Device]:
    """All GPUs, or else the CPU."""
    if torch.cuda.is_available():
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return [Device(torch.device("cuda", number), bf16) for number in range(torch.cuda.device_count())]
    return [Device(torch.device("cpu"), torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())]


def peak_flops(device: Device) -> float:
    """Floating-point operations per second that the device can reach: its data sheet's, or a matrix product's."""
    if device.kind.type == "cuda" and device.bf16:
        name = torch.cuda.get_device_name(device.kind)
        for known, peak in PEAKS.items():
            if known in name:
                return peak
    return measured_flops(device, 8192 if device.kind.type == "cuda" else 1024)


def measured_flops(device: Device, size: int) -> float:
    """Operations per second of the best of some products of square matrices."""
    a = torch.ones(size, size, device=device.kind, dtype=device.dtype)  # not random: a resumed run must draw the same
    best = float("inf")
    for _ in range(8):
        device.synchronize()
        start = time.perf_counter()
        a @ a
        device.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


@contextmanager
def explained_memory(key: str, ids: Tensor, device: Device) -> Iterator[None]:
    """Name the batch that doesn't fit into memory.

    Args:
        key: the section of the parameters with `batch` and `max_length`.
        ids: of the batch [sentences, length].

    Raises:
        UserError: the block ran out of memory.
    """
    try:
        yield
    except RuntimeError as error:
        short = any(words in str(error) for words in ("allocate memory", "not enough memory"))  # the CPU's has no class
        if not isinstance(error, torch.OutOfMemoryError) and not short:
            raise
        sentences, length = ids.shape
        raise UserError(
            f"{key}: out of memory on {device} with a batch of {sentences} sentences of {length} tokens; a smaller"
            f" {key}.batch or {key}.max_length needs less"
        ) from error
