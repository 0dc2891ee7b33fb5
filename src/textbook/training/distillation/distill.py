"""Distillation: the student learns the teacher's attention relations on a textbook (MiniLMv2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from textbook.errors import UserError
from textbook.files import atomic_write
from textbook.models.encoder import QkvReader, parts_of
from textbook.models.flops import distillation_flops
from textbook.training.distillation.graphs import MULTIPLE, CudaRecorder, RecordedSteps, compiled_relation_loss
from textbook.training.distillation.pair import DistillationPair, check_pair
from textbook.training.distillation.relations import relation_loss
from textbook.training.distributed.data_parallel import data_parallel
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.checkpoints import Checkpoints
from textbook.training.engine.cpu_training import faster_on_cpu
from textbook.training.engine.device import Device, explain_oom, peak_flops
from textbook.training.engine.feed import Batch, make_batch, prefetch
from textbook.training.engine.log import Log, silent
from textbook.training.engine.meter import Meter
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate, update_weights
from textbook.training.engine.replica import Replica
from textbook.training.engine.tokens import Tokens, collate

if TYPE_CHECKING:
    from textbook.params import Distill

LOG_EVERY = 10  # steps
RATE = "distill.lr (distill.second.lr in a second stage)"
"""The parameter with the learning rate, in error messages."""
_IDENTITY = ("steps", "batch", "lr", "warmup", "weight_decay", "seed", "cuda_graphs", "shard_teacher")
"""Settings that a checkpoint must match, besides the layers of the pair and the size of the textbook."""

TakeStep = Callable[[Batch], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Architecture:
    """Architecture of a model, from which another process builds a copy; the weights are broadcast later."""

    cls: Any
    config: Any
    dtype: torch.dtype

    def build(self) -> PreTrainedModel:
        model: PreTrainedModel = self.cls(self.config).to(self.dtype)
        return model


def distill(
    pair: DistillationPair,
    tokens: Tokens,
    settings: Distill,
    *,
    devices: Sequence[Device],
    log: Log = silent,
    checkpoints: Path | None = None,
    snapshots: Path | None = None,
) -> None:
    """Train the student in place.

    Only the weights that feed the queries, keys and values of the student's layer are trained. The other weights keep
    their initial values and are trained in adaptation.

    Args:
        tokens: the tokenised textbook.
        settings: the section `distill` of the parameters.
        devices: each batch is split over them. A process is started for each device except the first.
        log: called every few steps with the mean `loss`, `tokens_per_second`, `share_of_peak` (useful FLOP/s over the
            devices' peak), `waiting` (the share of the time spent waiting for data), `lr` and `gradient_norm`.
        checkpoints: a folder used by this run only. The run resumes from the newest checkpoint in it.
        snapshots: a folder to which the student is saved after each step in `settings.snapshots`; a snapshot is named
            after its step, for example `00001000`.

    Raises:
        UserError: models, tokens and settings are incompatible; the checkpoint belongs to another run; a batch doesn't
            fit into memory; the loss is not finite (the batch is saved in the checkpoint folder).
        SystemExit: SIGTERM was received and a checkpoint was written.
    """
    check_pair(pair, tokens)
    architectures = [_Architecture(type(model), model.config, model.dtype) for model in (pair.teacher, pair.student)]
    pair_fields = (pair.teacher_layer, pair.student_layer, pair.relation_heads, pair.pad_id)
    paths = (checkpoints, snapshots)
    with data_parallel(devices, _worker, architectures, pair_fields, tokens, settings, paths) as replica:
        _train(replica, devices[0], pair, tokens, settings, paths, log)


def _worker(
    replica: Replica,
    device: Device,
    architectures: Sequence[_Architecture],
    pair_fields: tuple[int, int, int, int],
    tokens: Tokens,
    settings: Distill,
    paths: tuple[Path | None, Path | None],
) -> None:
    """Entry point of the processes of all devices except the first; they receive the weights by broadcast."""
    teacher, student = (architecture.build() for architecture in architectures)
    _train(replica, device, DistillationPair(teacher, student, *pair_fields), tokens, settings, paths, silent)


def _train(
    replica: Replica,
    device: Device,
    pair: DistillationPair,
    tokens: Tokens,
    settings: Distill,
    paths: tuple[Path | None, Path | None],
    log: Log,
) -> None:
    """The training loop. All processes run it; only the first one logs and writes files."""
    checkpoints, snapshots = paths
    _move_to_device(replica, device, pair, settings)
    graphs = settings.cuda_graphs and device.kind.type == "cuda" and replica.count == 1
    optimizer = make_optimizer(pair.student, settings.weight_decay, recordable=graphs)
    torch.manual_seed(settings.seed + replica.rank)
    saver = Checkpoints(checkpoints, pair.student, optimizer, _identity(pair, tokens, settings), replica)
    done, _ = saver.resume()
    take_step = _step_function(replica, device, pair, optimizer, graphs)
    stream = BatchStream(tokens.offsets, settings.batch, settings.seed)

    def make(step: int) -> Batch:
        shape = {"size": settings.batch, "multiple": MULTIPLE} if graphs else {}
        rows = stream.rows(step)
        batch = make_batch(tokens, rows, pair.pad_id, rank=replica.rank, count=replica.count, **shape)
        return batch.pinned() if device.kind.type == "cuda" else batch

    meter = Meter(partial(_useful_flops, pair), peak_flops(device) * replica.count)
    bar = tqdm(total=settings.steps, initial=done, desc="distill", unit="step", disable=bool(replica.rank))
    feed = prefetch(make, range(done, settings.steps))
    with bar as progress, saver.saving_on_sigterm(), faster_on_cpu(pair.student), feed as batches:
        for step in range(done, settings.steps):
            with meter.waiting():
                batch = next(batches).to(device.kind)
            rate = learning_rate(step, settings.steps, settings)
            set_rate(optimizer, rate)
            with explain_oom("distill", batch.inputs["input_ids"], device):
                loss, norm = take_step(batch)
            meter.count(loss, batch.lengths)
            progress.update()
            last = step + 1 == settings.steps
            if last or (step + 1) % LOG_EVERY == 0:
                if (bad := meter.not_finite()) is not None:
                    first = step + 1 - len(meter.losses) + bad
                    path = checkpoints / f"batch-{first + 1}.safetensors" if checkpoints and not replica.rank else None
                    raise _not_finite(meter.losses[bad], first, collate(tokens, stream.rows(first), pair.pad_id), path)
                figures = meter.read() | {"lr": rate, "gradient_norm": float(norm)}
                log(step + 1, figures)
                progress.set_postfix_str(f"loss {figures['loss']:.3f}, {figures['tokens_per_second']:,.0f} tokens/s")
            if snapshots and step + 1 in settings.snapshots and not replica.rank:
                with atomic_write(snapshots / f"{step + 1:08}") as temporary:
                    pair.student.save_pretrained(temporary)
            saver.after_step(step + 1, due=last)


def _move_to_device(replica: Replica, device: Device, pair: DistillationPair, settings: Distill) -> None:
    """Move both models to the device and give them the weights of the first process."""
    nn.Module.to(pair.student, device.kind)
    nn.Module.to(pair.teacher, "cpu" if settings.shard_teacher else device.kind, device.dtype)
    pair.student.train()
    pair.teacher.train(False)
    replica.broadcast(pair.teacher)
    replica.broadcast(pair.student)
    if settings.shard_teacher:
        replica.shard(pair.teacher, parts_of(pair.teacher), device)


def _step_function(
    replica: Replica, device: Device, pair: DistillationPair, optimizer: torch.optim.Optimizer, graphs: bool
) -> TakeStep:
    """A function that trains on a batch and returns its loss and the norm of the gradients."""
    read_teacher = QkvReader(pair.teacher, pair.teacher_layer, "teacher")
    read_student = QkvReader(pair.student, pair.student_layer, "student")
    objective = _objective(device, graphs)

    def take_step(batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            target = read_teacher(**batch.inputs)
        with device.autocast():
            states = read_student(**batch.inputs)
        mask = batch.inputs["attention_mask"]
        loss = objective(target, states, mask, pair.relation_heads, batch.weights)
        norm = update_weights(loss, pair.student, optimizer, replica)
        return loss.detach(), norm

    return RecordedSteps(take_step, CudaRecorder()) if graphs else take_step


def _objective(device: Device, graphs: bool) -> Callable[..., Tensor]:
    """The fastest relation loss on a device."""
    if device.kind.type == "cpu":
        from textbook.training.distillation.fused_relations import (
            fused_relation_loss,  # numba is not on a bare GPU machine
        )

        return fused_relation_loss
    return compiled_relation_loss() if graphs else relation_loss


def _identity(pair: DistillationPair, tokens: Tokens, settings: Distill) -> dict[str, Any]:
    """What a checkpoint must match, so that a resumed run ends with the same weights as an uninterrupted one."""
    layers = {name: getattr(pair, name) for name in ("teacher_layer", "student_layer", "relation_heads")}
    sizes = {"texts": len(tokens), "tokens": int(tokens.offsets[-1])}
    values = {name: getattr(settings, name) for name in _IDENTITY}
    return {**values, "snapshots": list(settings.snapshots), **layers, **sizes}


def _useful_flops(pair: DistillationPair, lengths: NDArray[np.int64]) -> float:
    """FLOPs needed for sentences of these lengths in tokens, computed from the models' configurations."""
    teacher, student = pair.teacher.config, pair.student.config
    return float(distillation_flops(teacher, pair.teacher_layer, student, pair.student_layer, lengths).sum())


def _not_finite(loss: Tensor, step: int, batch: dict[str, Tensor], path: Path | None) -> UserError:
    """The error for a loss that is not finite. If a path is given, the batch of the step (counted from 0) is saved."""
    if path:
        with atomic_write(path) as temporary:
            save_file(batch, temporary)
    saved = f"; its batch is in {path}" if path else ""
    return UserError(f"distill: the loss of step {step + 1} is {loss.item()}; try a smaller {RATE}{saved}")
