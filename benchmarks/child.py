"""Work in a process of its own, whose memory is watched."""

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
    """The result of `work`, a function of a module, in a fresh process; and the most memory that it had, in GB.

    That is resident memory, the pages of mapped files included, summed over the process and all that it started (the
    workers of Ray, say), 20 times a second.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(theirs, partial(work, *arguments)))
    child.start()
    theirs.close()
    peak, process = 0, psutil.Process(child.pid)
    while not ours.poll(INTERVAL):
        with suppress(psutil.NoSuchProcess):
            peak = max(peak, _resident(process) + sum(map(_resident, process.children(recursive=True))))
    try:
        result = ours.recv()
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
