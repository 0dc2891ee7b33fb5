"""Whether the fast step of a GPU trains as the plain loop does, and gives the same bits twice."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_run import RATE, Run, new_student, new_teacher, release
from benchmarks.setting import Setting
from textbook.models.encoder import QkvReader
from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.deterministic import deterministic_algorithms
from textbook.training.engine.device import Device
from textbook.training.engine.feed import make_batch
from textbook.training.engine.optimizer import make_optimizer, set_rate, update_weights
from textbook.training.engine.packing import RandomBatches

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def plain_losses(setting: Setting, device: Device, steps: int, packed: bool, seed: int = 0, **changes: Any) -> Any:
    """Losses of the plain loop in fp32: eager attention, padded batches, the plain relation loss.

    Args:
        packed: on the batches of the packed step, otherwise on those of the padded one.
        seed: of the dropout.
    """
    teacher, student = new_teacher(setting, device), new_student(setting, device, 0, **changes)
    for model in (teacher, student):
        model.set_attn_implementation("eager")
    read_teacher, read_student = QkvReader(teacher, setting.teacher_layer), QkvReader(student, setting.shape.layers)
    optimizer = make_optimizer(student, 0.01)
    set_rate(optimizer, RATE)
    torch.manual_seed(seed)
    tokens, batch = setting.tokens, setting.batch
    stream: Any = RandomBatches(len(tokens), batch, 0) if packed else BatchStream(tokens.offsets, batch, 0)
    losses: list[Tensor] = []
    for step in range(steps):
        made = make_batch(tokens, stream.rows(step), setting.pad_id).to(device.kind)
        with torch.no_grad():
            target = read_teacher(**made.inputs)
        states = read_student(**made.inputs)
        loss = relation_loss(target, states, made.inputs["attention_mask"], setting.heads, made.weights)
        update_weights(loss, student, optimizer)
        losses.append(loss.detach())
    return torch.stack(losses).tolist()


def check(setting: Setting, device: Device, steps: int) -> dict[str, Any]:
    """Differences of the packed step's losses from those of the plain loop."""
    figures: dict[str, Any] = {}
    release()
    expected = plain_losses(setting, device, steps, packed=True, **NO_DROPOUT)
    for bf16 in (False, True):
        release()
        run = Run(setting, Device(device.kind, bf16), changes=NO_DROPOUT)
        figures["bf16" if bf16 else "fp32"] = _differences(run.losses(steps), expected)
    release()
    one, two = (np.array(plain_losses(setting, device, steps, packed=True, seed=seed)) for seed in (0, 1))
    ours = np.array(Run(setting, device).losses(steps))
    half = steps // 2
    figures["dropout"] = {
        "difference": _rounded(abs(ours[half:].mean() / one[half:].mean() - 1)),
        "difference_of_two_seeds_of_the_plain_loop": _rounded(abs(two[half:].mean() / one[half:].mean() - 1)),
        "losses": {"plain": _by_tens(one), "plain, another seed": _by_tens(two), "packed": _by_tens(ours)},
    }
    return figures


def check_padded(setting: Setting, device: Device, steps: int) -> dict[str, float]:
    """Differences of the padded step's losses from those of the plain loop, in fp32 without dropout."""
    release()
    expected = plain_losses(setting, device, steps, packed=False, **NO_DROPOUT)
    return _differences(Run(setting, Device(device.kind, bf16=False), changes=NO_DROPOUT).losses(steps), expected)


def _differences(losses: Sequence[float], expected: Sequence[float]) -> dict[str, float]:
    relative = np.abs(np.array(losses) / np.array(expected) - 1)
    return {"largest": _rounded(relative.max()), "mean": _rounded(relative.mean()), "last_loss": round(losses[-1], 5)}


def _rounded(value: Any) -> float:
    return float(f"{value:.2e}")


def _by_tens(losses: Any) -> list[float]:
    """Means of ten losses each."""
    return [round(float(part.mean()), 5) for part in np.array_split(losses, max(1, len(losses) // 10))]


def check_determinism(setting: Setting, device: Device, steps: int) -> dict[str, Any]:
    """Whether two runs give the same weights, as they are and with deterministic algorithms."""
    figures: dict[str, Any] = {}
    for name in ("as it is", "deterministic"):
        weights, speed = [], 0.0
        with deterministic_algorithms("benchmark") if name == "deterministic" else nullcontext():
            for _ in range(2):
                release()
                run = Run(setting, device)
                run.losses(steps)
                weights.append([weight.clone() for weight in run.students[0].parameters()])
                speed, _longest = run.speed(steps)
        same = all(map(torch.equal, *weights))
        figures[name] = {"same_bits": same, "tokens_per_second": round(speed)}
    return figures
