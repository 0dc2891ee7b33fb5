"""AdamW with a linear schedule, as in BERT's fine-tuning, and the update of the weights."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from textbook.training.engine.replica import ALONE, Replica

MAX_NORM = 1.0  # gradients are clipped to this norm


class Schedule(Protocol):
    """The fields that describe the learning rate, in any section of the parameters that has them."""

    @property
    def lr(self) -> float:
        """The peak learning rate."""

    @property
    def warmup(self) -> float:
        """The share of the steps, from 0 to 1, in which the rate rises."""


def make_optimizer(model: nn.Module, weight_decay: float, *, recordable: bool = False) -> AdamW:
    """AdamW over all weights, without decay for biases and normalisations. `set_rate` sets the learning rate.

    Args:
        recordable: keep the learning rate on the device, where a CUDA graph can read it.
    """
    decaying = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    device = decaying[0].device
    rate = torch.zeros((), device=device) if recordable else 0.0
    on_gpu = device.type == "cuda"  # `capturable` has no effect on other devices
    return AdamW(groups, lr=rate, betas=(0.9, 0.999), eps=1e-6, fused=True, capturable=recordable and on_gpu)


def learning_rate(step: int, steps: int, schedule: Schedule) -> float:
    """The rate of a step, counted from 0: it rises to the peak during warm-up, then falls to 0."""
    warmup_steps = max(1, round(schedule.warmup * steps))
    share = (step + 1) / warmup_steps if step < warmup_steps else (steps - step) / max(1, steps - warmup_steps)
    return schedule.lr * share


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def update_weights(loss: Tensor, model: nn.Module, optimizer: Optimizer, replica: Replica = ALONE) -> Tensor:
    """One training step after the forward pass: gradients, their sum over the replicas, clipping, and the update.

    Args:
        loss: a scalar; with several replicas this one's share, which is replaced by the sum.

    Returns:
        The norm of the gradients before clipping.
    """
    torch.autograd.backward(loss)
    replica.all_reduce([loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
