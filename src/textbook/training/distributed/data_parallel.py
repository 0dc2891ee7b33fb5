"""Data-parallel training on one machine: one process per device, each with a share of every batch.

Gradients are summed, not averaged: each sentence is weighted by its share of the whole batch (`relation_loss`), so the
sum over the processes equals the gradient of a single process, however the sentences are divided.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessContext, ProcessRaisedException, start_processes

from textbook.errors import UserError
from textbook.training.engine.device import Device
from textbook.training.engine.replica import ALONE, Replica

TIMEOUT = timedelta(minutes=10)  # the other processes wait while the first one writes a checkpoint
_USER_ERROR = f"{UserError.__module__}.{UserError.__qualname__}: "


@contextmanager
def data_parallel(devices: Sequence[Device], work: Callable[..., None], *arguments: Any) -> Iterator[Replica]:
    """Start a process for each device except the first, and yield the replica of this process.

    Args:
        devices: this process uses the first one.
        work: a module-level function. The other processes call it with their replica, their device and `arguments`;
            the body of the `with` statement must do the same for the first device.

    Raises:
        UserError: another process raised it.
    """
    if len(devices) == 1:
        yield ALONE
        return
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = (str(Path(folder) / "rendezvous"), len(devices))  # a file needs no free port
        others = start_processes(  # type: ignore[no-untyped-call]
            _worker,
            (devices, rendezvous, work, arguments),
            len(devices) - 1,
            join=False,
            daemon=True,
            start_method="spawn",
        )
        assert isinstance(others, ProcessContext)
        try:
            with _join_group(*rendezvous, 0, devices[0]) as replica:
                yield replica
        except RuntimeError as error:
            raise _cause(others) or error from error
        finally:
            for process in others.processes:
                process.join(10)
                process.kill()


def _worker(
    number: int,
    devices: Sequence[Device],
    rendezvous: tuple[str, int],
    work: Callable[..., None],
    arguments: tuple[Any],
) -> None:
    """Entry point of the other processes; `number` counts them from 0."""
    with _join_group(*rendezvous, number + 1, devices[number + 1]) as replica:
        work(replica, devices[number + 1], *arguments)


@contextmanager
def _join_group(file: str, count: int, rank: int, device: Device) -> Iterator[Replica]:
    """Join the process group of a rendezvous file."""
    for backend in ("GLOO", "NCCL"):  # all processes are on this machine, so loopback is enough
        os.environ.setdefault(f"{backend}_SOCKET_IFNAME", "lo")
    if device.kind.type == "cuda":
        torch.cuda.set_device(device.kind)
    backend = "cpu:gloo,cuda:nccl" if device.kind.type == "cuda" else "gloo"
    dist.init_process_group(backend, f"file://{file}", TIMEOUT, count, rank)
    try:
        yield Replica(rank, count)
    finally:
        dist.destroy_process_group()


def _cause(others: ProcessContext) -> Exception | None:
    """The error that ended another process; this process only sees the lost connection."""
    try:
        others.join(10)
    except ProcessRaisedException as error:
        last = str(error).strip().splitlines()[-1]
        return UserError(last.removeprefix(_USER_ERROR)) if last.startswith(_USER_ERROR) else error
    return None
