"""Distillation: the teacher's attention relations on a textbook become the student's."""

import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from textbook.errors import UserError
from textbook.files import write_aside
from textbook.models.encoder import QkvReader, parts_of
from textbook.models.flops import distillation_flops
from textbook.training.batches import BatchStream
from textbook.training.checkpoints import load_checkpoint, save_checkpoint
from textbook.training.checks import check_fit
from textbook.training.device import Device, explained_memory, peak_flops
from textbook.training.feed import Batch, ahead, make_batch
from textbook.training.graphs import MULTIPLE, CudaRecorder, RecordedSteps, compiled_relation_loss
from textbook.training.interrupt import sigterm_as_event
from textbook.training.log import Log, silent
from textbook.training.meter import Meter
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.relations import relation_loss
from textbook.training.replicas import Replica, replicas
from textbook.training.tokens import Tokens, collate

LOG_EVERY = 10
CHECKPOINT_SECONDS = 60


@dataclass(frozen=True)
class Settings:
    """How to distil; the fields are those of `distill` in the parameters."""

    relation_heads: int
    steps: int
    batch: int
    lr: float
    warmup: float
    weight_decay: float
    seed: int
    snapshots: Sequence[int] = ()
    cuda_graphs: bool = False
    shard_teacher: bool = False


@dataclass(frozen=True)
class Places:
    """What is read in the models, and where the run leaves what outlives it."""

    teacher_layer: int
    student_layer: int
    pad_id: int
    checkpoints: Path | None
    snapshots: Path | None


def distill(
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    tokens: Tokens,
    settings: Settings,
    *,
    teacher_layer: int,
    student_layer: int,
    pad_id: int,
    devices: Sequence[Device],
    log: Log = silent,
    checkpoints: Path | None = None,
    snapshots: Path | None = None,
) -> None:
    """Train the student in place.

    Only what feeds the queries, keys and values of `student_layer` learns; what lies above keeps its initial weights
    and is trained in adaptation.

    Args:
        teacher, student: bare encoders over the same vocabulary.
        tokens: the tokenised textbook.
        teacher_layer, student_layer: whose relations are matched, 1 is the first.
        devices: they share each batch; for all but the first a process is started.
        log: every few steps gets their mean `loss` and `tokens_per_second`, the share of the devices' peak in FLOP/s
            that was useful (`share_of_peak`) and of the time in which data was waited for (`waiting`), and the last
            `lr` and `gradient_norm`.
        checkpoints: a folder of this very run; it goes on from the newest one there.
        snapshots: a folder that gets the student after each of `settings.snapshots` steps, as `00001000` for example.

    Raises:
        UserError: models, tokens and settings don't fit each other; the checkpoint is that of another run; a batch
            doesn't fit into memory; the loss is no longer finite, and the batch is saved beside the checkpoints.
        SystemExit: SIGTERM came; a checkpoint was written.
    """
    check_fit(teacher, student, tokens, settings.relation_heads)
    places = Places(teacher_layer, student_layer, pad_id, checkpoints, snapshots)
    kinds = [(type(model), model.config, model.dtype) for model in (teacher, student)]
    with replicas(devices, _follow, kinds, tokens, settings, places) as replica:
        _train(replica, devices[0], teacher, student, tokens, settings, places, log)


def _follow(
    replica: Replica,
    device: Device,
    kinds: Sequence[tuple[Any, Any, torch.dtype]],
    tokens: Tokens,
    settings: Settings,
    places: Places,
) -> None:
    """What the process of a further device does: the same with models of the same kinds, whose weights it is given."""
    teacher, student = (model(config).to(dtype) for model, config, dtype in kinds)
    _train(replica, device, teacher, student, tokens, settings, places, silent)


def _train(
    replica: Replica,
    device: Device,
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    tokens: Tokens,
    settings: Settings,
    places: Places,
    log: Log,
) -> None:
    """The loop; all processes run it, and the first one tells and writes."""
    nn.Module.to(student, device.kind)
    nn.Module.to(teacher, "cpu" if settings.shard_teacher else device.kind, device.dtype)
    student.train()
    teacher.train(False)
    replica.copy_weights(teacher)
    replica.copy_weights(student)
    if settings.shard_teacher:
        replica.shard(teacher, parts_of(teacher), device)
    read_teacher = QkvReader(teacher, places.teacher_layer, "teacher")
    read_student = QkvReader(student, places.student_layer, "student")
    graphs = settings.cuda_graphs and device.kind.type == "cuda" and replica.count == 1
    optimizer = make_optimizer(student, settings.weight_decay, recordable=graphs)
    objective = compiled_relation_loss() if graphs else relation_loss
    torch.manual_seed(settings.seed + replica.rank)
    checkpoints, run = places.checkpoints, _identity(tokens, settings, places)
    done = load_checkpoint(checkpoints, student, optimizer, run, replica) if checkpoints else 0

    def make(step: int) -> Batch:
        rows = stream.rows(step)
        shape = {"size": settings.batch, "multiple": MULTIPLE} if graphs else {}
        batch = make_batch(tokens, rows, places.pad_id, rank=replica.rank, count=replica.count, **shape)
        return batch.pinned() if device.kind.type == "cuda" else batch

    def take_step(batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            theirs = read_teacher(**batch.inputs)
        with device.autocast():
            ours = read_student(**batch.inputs)
        mask = batch.inputs["attention_mask"]
        loss = objective(theirs, ours, mask, settings.relation_heads, batch.weights)
        torch.autograd.backward(loss)
        loss = loss.detach()
        replica.add_up([loss, *(p.grad for p in student.parameters() if p.grad is not None)])
        norm = nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss, norm

    step_of = RecordedSteps(take_step, CudaRecorder()) if graphs else take_step
    stream = BatchStream(tokens.offsets, settings.batch, settings.seed)
    meter = Meter(partial(_useful_flops, teacher.config, student.config, places), peak_flops(device) * replica.count)
    last_checkpoint = time.monotonic()
    bar = tqdm(total=settings.steps, initial=done, desc="distill", unit="step", disable=bool(replica.rank))
    with bar as progress, sigterm_as_event() as terminated, ahead(make, range(done, settings.steps)) as batches:
        for step in range(done, settings.steps):
            with meter.waiting():
                batch = next(batches).to(device.kind)
            rate = learning_rate(step, peak=settings.lr, warmup=settings.warmup, steps=settings.steps)
            set_rate(optimizer, rate)
            with explained_memory("distill", batch.inputs["input_ids"], device):
                loss, norm = step_of(batch)
            meter.count(loss, batch.lengths)
            progress.update()
            last = step + 1 == settings.steps
            if last or (step + 1) % LOG_EVERY == 0:
                if (bad := meter.not_finite()) is not None:
                    first = step + 1 - len(meter.losses) + bad
                    raise _not_finite(meter.losses[bad], first, tokens, settings, places, replica)
                figures = meter.read() | {"lr": rate, "gradient_norm": float(norm)}
                log(step + 1, figures)
                progress.set_postfix_str(f"loss {figures['loss']:.3f}, {figures['tokens_per_second']:,.0f} tokens/s")
            if places.snapshots and step + 1 in settings.snapshots and not replica.rank:
                with write_aside(places.snapshots / f"{step + 1:08}") as aside:
                    student.save_pretrained(aside)
            due = last or time.monotonic() - last_checkpoint > CHECKPOINT_SECONDS
            ending, due = replica.any(terminated.is_set(), due)
            if checkpoints and (due or ending):
                save_checkpoint(checkpoints, step + 1, student, optimizer, run, replica)
                last_checkpoint = time.monotonic()
            if ending:
                raise SystemExit(128 + signal.SIGTERM)


def _identity(tokens: Tokens, settings: Settings, places: Places) -> dict[str, Any]:
    """What a checkpoint must agree with, so that going on from it makes what an unbroken run would have made."""
    layers = {"teacher_layer": places.teacher_layer, "student_layer": places.student_layer}
    book = {"texts": len(tokens), "tokens": int(tokens.offsets[-1])}
    return {**asdict(settings), "snapshots": list(settings.snapshots), **layers, **book}


def _useful_flops(teacher: Any, student: Any, places: Places, lengths: NDArray[np.int64]) -> float:
    """Operations that sentences of so many tokens need, by the models' configurations."""
    return float(distillation_flops(teacher, places.teacher_layer, student, places.student_layer, lengths).sum())


def _not_finite(
    loss: Tensor, step: int, tokens: Tokens, settings: Settings, places: Places, replica: Replica
) -> UserError:
    """Say at which step, counted from 0, the loss went wrong, and save its batch if there is a folder."""
    saved = ""
    if places.checkpoints and not replica.rank:
        path = places.checkpoints / f"batch-{step + 1}.safetensors"
        rows = BatchStream(tokens.offsets, settings.batch, settings.seed).rows(step)
        with write_aside(path) as aside:
            save_file(collate(tokens, rows, places.pad_id), aside)
        saved = f"; its batch is in {path}"
    return UserError(
        f"distill: the loss of step {step + 1} is {loss.item()}; a smaller distill.lr than {settings.lr} may"
        f" help{saved}"
    )
