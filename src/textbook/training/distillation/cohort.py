"""Distillation of a cohort: students that share a teacher, a textbook and the order of its batches.

The teacher reads each batch once for all of them. Everything else is each student's own: weights, optimizer, learning
rate, dropout, log, snapshots and checkpoints. Students learn one after the other, so a student of a cohort is, to the
bit on the CPU, the student that it would be alone, and needs memory only for its weights and optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from textbook.errors import UserError
from textbook.models.encoder import QkvReader, parts_of
from textbook.models.flops import flops_to_qkv
from textbook.training.distillation.graphs import MULTIPLE, CudaRecorder, RecordedSteps, compiled_relation_loss
from textbook.training.distillation.learner import SHARED, Learner, Member
from textbook.training.distillation.pair import DistillationPair, check_pair
from textbook.training.distillation.relations import relation_loss
from textbook.training.distributed.data_parallel import data_parallel
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.checkpoints import TERMINATED
from textbook.training.engine.cpu_engine import COMPILED, cpu_engine
from textbook.training.engine.cpu_training import faster_on_cpu
from textbook.training.engine.deterministic import deterministic_algorithms
from textbook.training.engine.device import Device, explain_oom, peak_flops
from textbook.training.engine.feed import Batch, make_batch, prefetch
from textbook.training.engine.interrupt import sigterm_as_event
from textbook.training.engine.log import silent
from textbook.training.engine.meter import Meter
from textbook.training.engine.optimizer import update_weights
from textbook.training.engine.replica import Replica
from textbook.training.engine.tokens import Tokens

LOG_EVERY = 10  # steps
_SHARED_OF_PAIR = ("teacher", "teacher_layer", "relation_heads", "pad_id")

TakeStep = Callable[[Batch], tuple[Tensor, Tensor]]


def distill_cohort(members: Sequence[Member], tokens: Tokens, *, devices: Sequence[Device]) -> list[UserError | None]:
    """Train the students of a cohort in place.

    Only the weights that feed the queries, keys and values of a student's layer are trained. The other weights keep
    their initial values and are trained in adaptation.

    Args:
        members: at least one. All have the same teacher object and layer, relation heads, steps, batch size and seed of
            the order; initial weights, shape, seed and learning rate may differ.
        tokens: the tokenised textbook.
        devices: each batch is split over them. A process is started for each device except the first.

    Returns:
        For each student, None, or the error for which it left the cohort: its loss was not finite. The batch is saved
        in its folder for checkpoints.

    Raises:
        UserError: models, tokens and settings are incompatible; a checkpoint belongs to another run; a batch doesn't
            fit into memory.
        ValueError: the members do not share what a cohort shares.
        SystemExit: SIGTERM was received and checkpoints were written.
    """
    _check_shared(members)
    for member in members:
        check_pair(member.pair, tokens)
    models = [members[0].pair.teacher, *(member.pair.student for member in members)]
    blueprints = [_Blueprint(type(model), model.config, model.dtype) for model in models]
    plain = [replace(member, pair=_without_models(member.pair), log=silent) for member in members]
    with data_parallel(devices, _worker, blueprints, plain, tokens) as replica:
        return _train(replica, devices[0], members, tokens)


def _check_shared(members: Sequence[Member]) -> None:
    """Check that members have in common what a cohort shares."""
    first = members[0]
    for member in members:
        differing = [name for name in SHARED if getattr(member.settings, name) != getattr(first.settings, name)]
        differing += [name for name in _SHARED_OF_PAIR if getattr(member.pair, name) is not getattr(first.pair, name)]
        if differing:
            raise ValueError(f"students of a cohort must have the same {', '.join(differing)}")


@dataclass(frozen=True)
class _Blueprint:
    """Architecture of a model, from which another process builds a copy; the weights are broadcast later."""

    cls: Any
    config: Any
    dtype: torch.dtype

    def build(self) -> PreTrainedModel:
        model: PreTrainedModel = self.cls(self.config).to(self.dtype)
        return model


def _without_models(pair: DistillationPair) -> DistillationPair:
    nothing: Any = None
    return replace(pair, teacher=nothing, student=nothing)


def _worker(
    replica: Replica, device: Device, blueprints: Sequence[_Blueprint], plain: Sequence[Member], tokens: Tokens
) -> None:
    """Entry point of the processes of all devices except the first; they receive the weights by broadcast.

    Args:
        blueprints: of the teacher and of each student.
        plain: the members without their models.
    """
    teacher, *students = (blueprint.build() for blueprint in blueprints)
    pairs = [replace(m.pair, teacher=teacher, student=student) for m, student in zip(plain, students, strict=True)]
    _train(replica, device, [replace(m, pair=pair) for m, pair in zip(plain, pairs, strict=True)], tokens)


def _train(replica: Replica, device: Device, members: Sequence[Member], tokens: Tokens) -> list[UserError | None]:
    """The training loop. All processes run it; only the first one logs and writes snapshots and checkpoints."""
    shared, pair = members[0].settings, members[0].pair
    _move_to_device(replica, device, members)
    graphs = shared.cuda_graphs and device.kind.type == "cuda" and replica.count == 1
    learners = [Learner(member, tokens, replica, recordable=graphs) for member in members]
    stream = BatchStream(tokens.offsets, shared.batch, shared.order_seed)
    read_teacher = QkvReader(pair.teacher, pair.teacher_layer, "teacher")

    def make(step: int) -> Batch:
        shape = {"size": shared.batch, "multiple": MULTIPLE} if graphs else {}
        rows = stream.rows(step)
        batch = make_batch(tokens, rows, pair.pad_id, rank=replica.rank, count=replica.count, **shape)
        return batch.pinned() if device.kind.type == "cuda" else batch

    @cache  # a recording is of the students that learn in it
    def step_of(*learning: Learner) -> TakeStep:
        take_step = _step_function(replica, device, read_teacher, learning, graphs)
        return RecordedSteps(take_step, CudaRecorder()) if graphs else take_step

    meter = Meter(peak_flops(device) * replica.count)
    done = min(learner.done for learner in learners)
    with ExitStack() as stack:
        bar = tqdm(total=shared.steps, initial=done, desc="distill", unit="step", disable=bool(replica.rank))
        progress = stack.enter_context(bar)
        terminated = stack.enter_context(sigterm_as_event())
        if shared.deterministic:
            stack.enter_context(deterministic_algorithms("distill.deterministic"))
        for learner in learners:
            stack.enter_context(faster_on_cpu(learner.student))
        batches = stack.enter_context(prefetch(make, range(done, shared.steps)))
        for step in range(done, shared.steps):
            with meter.waiting():
                batch = next(batches).to(device.kind)
            # After a kill, some students may be further than others.
            learning = [learner for learner in learners if learner.done <= step and not learner.error]
            if not learning:
                continue
            for learner in learning:
                learner.set_rate(step)
            with explain_oom("distill", batch.inputs["input_ids"], device):
                losses, norms = step_of(*learning)(batch)
            for learner, loss, norm in zip(learning, losses, norms, strict=True):
                learner.count(loss, norm)
            meter.count(int(batch.lengths.sum()), _useful_flops(learning, batch))
            progress.update()
            last = step + 1 == shared.steps
            if last or (step + 1) % LOG_EVERY == 0:
                for learner in learning:
                    learner.check_losses(step, tokens, stream, save=not replica.rank)
                learning = [learner for learner in learning if not learner.error]
                _log(learning, step, meter, progress)
            if not replica.rank:
                for learner in learning:
                    learner.save_snapshot(step + 1)
            ending, *old = replica.any(terminated.is_set(), *(learner.saver.old() for learner in learning))
            for learner, due in zip(learning, old, strict=True):
                if due or last or ending:
                    learner.save_checkpoint(step + 1)
            if ending:
                raise SystemExit(TERMINATED)
    return [learner.error for learner in learners]


def _move_to_device(replica: Replica, device: Device, members: Sequence[Member]) -> None:
    """Move all models to the device and give them the weights of the first process."""
    teacher, sharded = members[0].pair.teacher, members[0].settings.shard_teacher
    nn.Module.to(teacher, "cpu" if sharded else device.kind, device.dtype)
    teacher.train(False)
    replica.broadcast(teacher)
    for member in members:
        nn.Module.to(member.pair.student, device.kind)
        member.pair.student.train()
        replica.broadcast(member.pair.student)
    if sharded:
        replica.shard(teacher, parts_of(teacher), device)


def _step_function(
    replica: Replica, device: Device, read_teacher: QkvReader, learning: Sequence[Learner], graphs: bool
) -> TakeStep:
    """A function that trains students on a batch, and returns their losses and the norms of their gradients."""
    objective = _objective(device, graphs)
    heads = learning[0].member.pair.relation_heads

    def learn(learner: Learner, batch: Batch, target: Any) -> tuple[Tensor, Tensor]:
        with device.autocast():
            states = learner.read(**batch.inputs)
        loss = objective(target, states, batch.inputs["attention_mask"], heads, batch.weights)
        norm = update_weights(loss, learner.student, learner.optimizer, replica)
        return loss.detach(), norm

    def take_step(batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            target = read_teacher(**batch.inputs)
        results = []
        for learner in learning:
            # A recorded step has one stream of random numbers for all.
            with nullcontext() if graphs else learner.randomness():
                results.append(learn(learner, batch, target))
        losses, norms = zip(*results, strict=True)
        return torch.stack(losses), torch.stack(norms)

    return take_step


def _objective(device: Device, graphs: bool) -> Callable[..., Tensor]:
    """The fastest relation loss on a device."""
    if device.kind.type == "cpu" and cpu_engine() == COMPILED:
        from textbook.training.distillation.fused_relations import (
            fused_relation_loss,  # numba is not on a bare GPU machine
        )

        return fused_relation_loss
    return compiled_relation_loss() if graphs else relation_loss


def _log(learning: Sequence[Learner], step: int, meter: Meter, progress: Any) -> None:
    """Log the steps since the last line, for each student and in the progress bar."""
    figures = [learner.read_figures(step) for learner in learning]
    speed = meter.read()  # after the losses, which wait for the GPU
    for learner, own in zip(learning, figures, strict=True):
        learner.member.log(step + 1, {**own, **speed})
    losses = " ".join(f"{own['loss']:.3f}" for own in figures)
    progress.set_postfix_str(f"loss {losses}, {speed['tokens_per_second']:,.0f} tokens/s")


def _useful_flops(learning: Sequence[Learner], batch: Batch) -> float:
    """FLOPs needed for the sentences of a batch: the teacher's pass, and each student's forward and backward pass.

    A backward pass costs twice as much as a forward pass.
    """
    pairs = [learner.member.pair for learner in learning]
    teacher = flops_to_qkv(pairs[0].teacher.config, pairs[0].teacher_layer, batch.lengths)
    students = [3 * flops_to_qkv(pair.student.config, pair.student_layer, batch.lengths) for pair in pairs]
    return float(sum(students, teacher).sum())
