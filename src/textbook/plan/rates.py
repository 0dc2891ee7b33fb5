"""How fast a machine is: the figures on which every estimate of time rests, and their measurement.

A core is measured by the time that it works, not by the time that passes, so that other programs that happen to run
don't count. Several cores are taken to be as fast as one each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SPLIT_RATE = 2.7e7  # bytes a second that a core of pace 1 splits into sentences in `_pace`
MEMORY_CORES = 4  # more cores than these share the way to memory, which limits updates of weights; assumed
_TEXT = "The plot is thin, but Mr. Smith and the others play it warmly! Who would not smile at 9.30 p.m.? I did.\n\n"
_TEXT_BYTES = 1 << 20
_WEIGHTS = 1 << 22  # of the model whose update is timed: many times what a core's cache holds
_TIMES = 10  # how often each is measured; the fastest counts
_SIZES = {"cpu": 1024, "cuda": 8192}  # of the matrices: large enough to reach the peak

Clock = Callable[[], float]


@dataclass(frozen=True)
class Rates:
    """The speed of a machine. All constants of the model of costs are for a core of pace 1."""

    flops: float
    """FLOP/s of matrix products of the device that trains, over all its cores, in the precision of training."""
    update: float
    """Seconds per weight of one update: clearing, clipping and AdamW."""
    pace: float
    """Speed of a core at processing text, relative to the core on which the constants were measured."""
    cores: int
    """CPU cores that this process may use."""
    device: str
    """The device that trains, and its precision, such as `cpu fp32`."""
    gpus: int = 0
    """Number of GPUs."""
    memory: float = 0.0
    """Bytes of memory of the machine."""
    gpu_memory: float = 0.0
    """Bytes of memory of one GPU."""


def measure_rates() -> Rates:
    """Measure this machine: a few seconds, most of which is importing PyTorch."""
    import torch

    from textbook.training.engine.device import best_devices, measured_flops

    devices, cores = best_devices(), len(os.sched_getaffinity(0))
    device = devices[0]
    on_gpu = device.kind.type == "cuda"
    threads = torch.get_num_threads()  # those that training will use: one for each core, not for each of its threads
    torch.set_num_threads(1)
    try:
        return Rates(
            flops=measured_flops(device, _SIZES["cuda"]) if on_gpu else threads * _product_rate(device.dtype),
            update=_update_seconds(on_gpu) / (1 if on_gpu else min(threads, MEMORY_CORES)),
            pace=_pace(),
            cores=cores,
            device=str(device),
            gpus=len(devices) if on_gpu else 0,
            memory=float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
            gpu_memory=float(torch.cuda.get_device_properties(0).total_memory) if on_gpu else 0.0,
        )
    finally:
        torch.set_num_threads(threads)


def _product_rate(dtype: torch.dtype) -> float:
    """FLOP/s of one core at products of matrices."""
    import torch

    size = _SIZES["cpu"]
    matrix = torch.ones(size, size, dtype=dtype)
    return 2 * size**3 / _fastest(lambda: matrix @ matrix)


def _update_seconds(on_gpu: bool) -> float:
    """Seconds per weight of the update that training makes, for words of which a batch has few."""
    import torch

    from textbook.training.engine.device import best_device
    from textbook.training.engine.optimizer import make_optimizer, set_rate, update_weights

    device, width = best_device(), 256
    words = torch.nn.Embedding(_WEIGHTS // width, width, device=device.kind)
    optimizer = make_optimizer(words, weight_decay=0.01)
    set_rate(optimizer, 1e-6)
    ids = torch.arange(64, device=device.kind)

    def update() -> None:
        update_weights(words(ids).sum(), words, optimizer)
        device.synchronize()

    update()  # the first one allocates the moments
    return _fastest(update, time.perf_counter if on_gpu else time.thread_time) / _WEIGHTS


def _pace() -> float:
    """The speed of a core at splitting text into sentences, relative to `SPLIT_RATE`."""
    from textbook.corpus.sentences import split_sentences

    text = _TEXT * (_TEXT_BYTES // len(_TEXT))

    def split() -> None:
        for _ in split_sentences(text, "en"):
            pass

    return len(text) / _fastest(split) / SPLIT_RATE


def _fastest(work: Callable[[], object], clock: Clock = time.thread_time) -> float:
    """The seconds of the fastest of several calls."""
    best = float("inf")
    for _ in range(_TIMES):
        start = clock()
        work()
        best = min(best, clock() - start)
    return best
