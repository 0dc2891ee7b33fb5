"""The device to train on, its precision, and its peak speed."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from textbook.errors import UserError

# Dense bf16 FLOP/s from NVIDIA's data sheets. The first key that is part of a device's name applies.
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
    """A device, and whether its matrix products run in bf16."""

    kind: torch.device
    bf16: bool

    @property
    def dtype(self) -> torch.dtype:
        """The precision of weights that are not trained."""
        return torch.bfloat16 if self.bf16 else torch.float32

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision with fp32 weights, if `bf16` is set."""
        return torch.autocast(self.kind.type, torch.bfloat16, enabled=self.bf16)

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work."""
        if self.kind.type == "cuda":
            torch.cuda.synchronize(self.kind)

    def __str__(self) -> str:
        return f"{self.kind.type} {'bf16' if self.bf16 else 'fp32'}"


def device_for(precision: str) -> Device:
    """The best device with the precision `fp32` or `bf16`; `auto` is the precision that is faster on the device."""
    best = best_device()
    return best if precision == "auto" else Device(best.kind, precision == "bf16")


def best_device() -> Device:
    """The GPU if there is one, otherwise the CPU. It uses bf16 if the hardware multiplies in it: emulation is slow."""
    return best_devices()[0]


def best_devices() -> list[Device]:
    """All GPUs, or the CPU if there is none."""
    if torch.cuda.is_available():
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return [Device(torch.device("cuda", number), bf16) for number in range(torch.cuda.device_count())]
    return [Device(torch.device("cpu"), torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())]


def peak_flops(device: Device) -> float:
    """Peak FLOP/s of the device: from its data sheet if it is in `PEAKS`, otherwise measured with matrix products."""
    if device.kind.type == "cuda" and device.bf16:
        name = torch.cuda.get_device_name(device.kind)
        for known, peak in PEAKS.items():
            if known in name:
                return peak
    return measured_flops(device, 8192 if device.kind.type == "cuda" else 1024)


def measured_flops(device: Device, size: int) -> float:
    """FLOP/s of the fastest of several products of square matrices [size, size]."""
    a = torch.ones(size, size, device=device.kind, dtype=device.dtype)  # leaves the random state of the run unchanged
    best = float("inf")
    for _ in range(8):
        device.synchronize()
        start = time.perf_counter()
        a @ a
        device.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


@contextmanager
def explain_oom(key: str, ids: Tensor, device: Device) -> Iterator[None]:
    """Raise an error that describes the batch if the block runs out of memory.

    Args:
        key: the section of the parameters with `batch` and `max_length`.
        ids: token ids of the batch [sentences, length].

    Raises:
        UserError: the block ran out of memory.
    """
    try:
        yield
    except RuntimeError as error:
        # On the CPU, PyTorch raises a plain RuntimeError.
        cpu_oom = any(words in str(error) for words in ("allocate memory", "not enough memory"))
        if not isinstance(error, torch.OutOfMemoryError) and not cpu_oom:
            raise
        sentences, length = ids.shape
        raise UserError(
            f"{key}: out of memory on {device} with a batch of {sentences} sentences of {length} tokens;"
            f" try a smaller {key}.batch or {key}.max_length"
        ) from error
