"""Data parallel training: one process per device, each with its share of every batch, all with the same weights.

Gradients are added up, not averaged: every sentence weighs its part of the whole batch (`relation_loss`), so the sum
over the shares is what one process would have computed, however the tokens fall.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.multiprocessing.spawn import ProcessContext, ProcessRaisedException, start_processes

from textbook.errors import UserError
from textbook.training.device import Device

PATIENCE = timedelta(minutes=10)  # with the others, while one writes a checkpoint for instance
_MISTAKE = f"{UserError.__module__}.{UserError.__qualname__}: "


@dataclass(frozen=True)
class Replica:
    """One of the processes that train together; alone it does what its methods say with nothing to wait for."""

    rank: int = 0
    count: int = 1

    def copy_weights(self, model: nn.Module) -> None:
        """Let all have the weights of the first."""
        if self.count > 1:
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, 0)

    def shard(self, model: nn.Module, parts: Iterable[nn.Module], device: Device) -> None:
        """Spread a model that only is read from the machine's memory over the devices of all processes.

        Each part is put together where it runs and taken apart again, as in ZeRO's stage 3; a pass that is broken off
        leaves its last part whole until the next.
        """
        model.requires_grad_(False)
        if self.count == 1:
            model.to(device.kind)
            return
        mesh = init_device_mesh(device.kind.type, (self.count,))
        for part in (*parts, model):
            fully_shard(part, mesh=mesh, reshard_after_forward=True)

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replace fp32 tensors by their sums over all processes, in one message."""
        if self.count > 1:
            parts = list(tensors)
            flat = torch.cat([part.flatten() for part in parts])
            dist.all_reduce(flat)
            for part, total in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
                part.copy_(total.view_as(part))

    def any(self, *flags: bool) -> list[bool]:
        """Which of the flags are set in any process."""
        if self.count == 1:
            return list(flags)
        found = torch.tensor(flags, dtype=torch.int32)  # on the CPU, so that no GPU is waited for
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return [bool(flag) for flag in found]

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The CPU tensors of all processes."""
        if self.count == 1:
            return [tensor]
        found = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(found, tensor)
        return found


@contextmanager
def replicas(devices: Sequence[Device], work: Callable[..., None], *arguments: Any) -> Iterator[Replica]:
    """Start a process for each device but the first, which is that of this process, whose replica it gives.

    Args:
        work: a function of a module; the others call it with their replica, their device and the arguments. In the
            block this process does its part of the same.

    Raises:
        UserError: what another process died of, if that is a user's mistake.
    """
    if len(devices) == 1:
        yield Replica()
        return
    with tempfile.TemporaryDirectory() as folder:
        place = (str(Path(folder) / "meeting"), len(devices))  # a file needs no free port
        others = start_processes(  # type: ignore[no-untyped-call]
            _join, (devices, place, work, arguments), len(devices) - 1, join=False, daemon=True, start_method="spawn"
        )
        assert isinstance(others, ProcessContext)
        try:
            with _met(*place, 0, devices[0]) as replica:
                yield replica
        except RuntimeError as error:
            raise _cause(others) or error from error
        finally:
            for process in others.processes:
                process.join(10)
                process.kill()


def _join(
    number: int, devices: Sequence[Device], place: tuple[str, int], work: Callable[..., None], arguments: tuple[Any]
) -> None:
    """What another process does; `number` counts from 0."""
    with _met(*place, number + 1, devices[number + 1]) as replica:
        work(replica, devices[number + 1], *arguments)


@contextmanager
def _met(file: str, count: int, rank: int, device: Device) -> Iterator[Replica]:
    for backend in ("GLOO", "NCCL"):  # all are on this machine, and nobody else has to reach them
        os.environ.setdefault(f"{backend}_SOCKET_IFNAME", "lo")
    if device.kind.type == "cuda":
        torch.cuda.set_device(device.kind)
    backend = "cpu:gloo,cuda:nccl" if device.kind.type == "cuda" else "gloo"
    dist.init_process_group(backend, f"file://{file}", PATIENCE, count, rank)
    try:
        yield Replica(rank, count)
    finally:
        dist.destroy_process_group()


def _cause(others: ProcessContext) -> Exception | None:
    """What a process died of, in place of the lost connection that this one noticed."""
    try:
        others.join(10)
    except ProcessRaisedException as error:
        last = str(error).strip().splitlines()[-1]
        return UserError(last.removeprefix(_MISTAKE)) if last.startswith(_MISTAKE) else error
    return None
