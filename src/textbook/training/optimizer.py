"""AdamW with a linear schedule, as BERT's fine-tuning has it."""

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer


def make_optimizer(model: nn.Module, weight_decay: float, *, recordable: bool = False) -> AdamW:
    """AdamW over all weights; biases and normalisations don't decay. `set_rate` gives it its learning rate.

    Args:
        recordable: keep the rate on the device, so that a recorded step (a CUDA graph) reads it there.
    """
    decaying = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    device = decaying[0].device
    rate = torch.zeros((), device=device) if recordable else 0.0
    on_gpu = device.type == "cuda"  # nowhere else has `capturable` a meaning
    return AdamW(groups, lr=rate, betas=(0.9, 0.999), eps=1e-6, fused=True, capturable=recordable and on_gpu)


def learning_rate(step: int, *, peak: float, warmup: float, steps: int) -> float:
    """The rate of a step, counted from 0: up to `peak` in the share `warmup` of all steps, then down to 0."""
    rising = max(1, round(warmup * steps))
    return peak * ((step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Let the next step have this learning rate."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
