"""Run a function in a child process and measure its peak memory."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
INTERVAL = 0.05  # seconds


def in_child(work: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    """Run `work`, a module-level function, in a new process. Returns its result and its peak memory in GB.

    Memory is resident memory, including the pages of memory-mapped files, summed over the process and all its
    descendants (for example Ray workers). It is sampled 20 times per second.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(sender, partial(work, *arguments)))
    child.start()
    sender.close()
    peak, process = 0, psutil.Process(child.pid)
    while not receiver.poll(INTERVAL):
        with suppress(psutil.NoSuchProcess):
            peak = max(peak, _resident(process) + sum(map(_resident, process.children(recursive=True))))
    try:
        result = receiver.recv()
    except EOFError:
        raise RuntimeError(f"{work.__name__}: the process died; see above") from None
    child.join()
    return result, peak / 1e9


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _send(pipe: Connection, work: Callable[[], Any]) -> None:
    pipe.send(work())
