"""Communication between the processes of data-parallel training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from textbook.training.engine.device import Device


@dataclass(frozen=True)
class Replica:
    """One of the processes that train together. With a count of 1, no method communicates."""

    rank: int = 0
    count: int = 1

    def broadcast(self, model: nn.Module) -> None:
        """Copy the weights of the first process to all processes."""
        if self.count > 1:
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, 0)

    def shard(self, model: nn.Module, parts: Iterable[nn.Module], device: Device) -> None:
        """Shard the weights of a model that is not trained over all processes, like stage 3 of ZeRO.

        Each part is gathered when it runs and freed afterwards. A forward pass that stops early leaves its last part
        gathered until the next pass.

        Args:
            model: must be on the CPU.
            parts: the modules that are gathered one at a time.
        """
        model.requires_grad_(False)
        if self.count == 1:
            model.to(device.kind)
            return
        mesh = init_device_mesh(device.kind.type, (self.count,))
        for part in (*parts, model):
            fully_shard(part, mesh=mesh, reshard_after_forward=True)

    def all_reduce(self, tensors: Iterable[Tensor]) -> None:
        """Replace fp32 tensors by their sums over all processes, in one message."""
        if self.count > 1:
            parts = list(tensors)
            flat = torch.cat([part.flatten() for part in parts])
            dist.all_reduce(flat)
            for part, total in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
                part.copy_(total.view_as(part))

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is set in any process."""
        if self.count == 1:
            return list(flags)
        votes = torch.tensor(flags, dtype=torch.int32)  # on the CPU, so that nothing waits for a GPU
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return [bool(vote) for vote in votes]

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The CPU tensors of all processes, by rank."""
        if self.count == 1:
            return [tensor]
        tensors = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(tensors, tensor)
        return tensors


ALONE = Replica()
