"""How fast a machine is: the four figures on which every estimate of time rests, and their measurement."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

SPLIT_RATE = 3.6e6  # bytes of text a second that a core of pace 1 splits into sentences: see `_pace`
_TEXT = "The plot is thin, but Mr. Smith and the others play it warmly! Who would not smile at 9.30 p.m.? I did.\n\n"
_TEXT_BYTES = 1 << 20
_WEIGHTS = 1 << 22  # of the model whose update is timed: many times what a core's cache holds
_TIMES = 5  # how often each is measured; the fastest counts, because other programs only slow it down
_SIZES = {"cpu": 1024, "cuda": 8192}  # of the matrices: large enough to reach the peak


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
    """Measure this machine: about three seconds on a CPU, most of which is importing PyTorch."""
    import torch

    from textbook.training.engine.device import best_devices, measured_flops

    devices = best_devices()
    device = devices[0]
    on_gpu = device.kind.type == "cuda"
    return Rates(
        flops=measured_flops(device, _SIZES[device.kind.type]),
        update=_update_seconds(),
        pace=_pace(),
        cores=len(os.sched_getaffinity(0)),
        device=str(device),
        gpus=len(devices) if on_gpu else 0,
        memory=float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        gpu_memory=float(torch.cuda.get_device_properties(0).total_memory) if on_gpu else 0.0,
    )


def _update_seconds() -> float:
    """Seconds per weight of the update that training makes, with words of which a batch has few."""
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
    return _fastest(update) / _WEIGHTS


def _pace() -> float:
    """The speed of a core at splitting text into sentences, relative to `SPLIT_RATE`."""
    from textbook.corpus.sentences import split_sentences

    text = _TEXT * (_TEXT_BYTES // len(_TEXT))

    def split() -> None:
        for _ in split_sentences(text, "en"):
            pass

    return len(text) / _fastest(split) / SPLIT_RATE


def _fastest(work: Callable[[], None]) -> float:
    """The seconds of the fastest of several calls."""
    best = float("inf")
    for _ in range(_TIMES):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best
