"""The fast step of distillation on one GPU: packed if possible, compiled, recorded, with one teacher for many students.

`gpu_steps` chooses. Encoders whose attention transformers can replace run *packed*: sentences end to end, in random
batches, with Triton's kernels for attention and relations. With another encoder, such as MPNet, both models run
*padded*, in batches of similar length. Either way the step is recorded once for each number of tokens.

Not yet measured on a GPU, so only the benchmark uses it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel

from textbook.training.distillation.graphs import (
    MULTIPLE,
    CudaRecorder,
    RecordedSteps,
    compiled_relation_loss,
)
from textbook.training.distillation.packed_relations import Sentences, packed_relation_loss
from textbook.training.distillation.pair import DistillationPair
from textbook.training.distillation.readers import PACKABLE, Compile, Read, packed_reader, padded_reader
from textbook.training.distillation.short_attention import LONGEST, WIDEST
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.device import Device
from textbook.training.engine.feed import Batch, make_batch
from textbook.training.engine.optimizer import update_weights
from textbook.training.engine.packing import MULTIPLE_OF_TOKENS, RandomBatches, pack_batch
from textbook.training.engine.tokens import Tokens

Objective = Callable[[Tensor, Tensor, Batch], Tensor]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuSteps:
    """How batches are made, and the step that trains on them."""

    packed: bool
    make: Callable[[int], Batch]
    """The batch of a step, counted from 0, on the CPU."""
    take: Callable[[Batch], tuple[Tensor, Tensor]]
    """Trains all students on a batch on the device. Returns their losses and gradient norms, each [students]."""


def why_padded(pair: DistillationPair, longest: int) -> str | None:
    """Why a pair cannot run packed; None if it can.

    Args:
        longest: tokens of the longest text.
    """
    for role, model in (("teacher", pair.teacher), ("student", pair.student)):
        family = model.config.model_type
        if family not in PACKABLE:
            return f"the {role} is {family}, whose attention cannot be replaced (packed are {', '.join(PACKABLE)})"
        width = model.config.hidden_size // model.config.num_attention_heads
        if width > WIDEST:
            return f"the {role}'s attention heads have {width} numbers (packed are at most {WIDEST})"
        if _too_wide(pair, model):
            return f"the {role}'s relation heads have more than {WIDEST} numbers (distill.relation_heads)"
    return f"a text has {longest} tokens (packed are at most {LONGEST})" if longest > LONGEST else None


def _too_wide(pair: DistillationPair, model: PreTrainedModel) -> bool:
    return bool(model.config.hidden_size // pair.relation_heads > WIDEST)


def gpu_steps(
    pairs: Sequence[DistillationPair],
    optimizers: Sequence[Optimizer],
    tokens: Tokens,
    device: Device,
    *,
    batch: int,
    seed: int,
    compile_for: Compile = "once",
    record: bool = True,
    multiple: int = MULTIPLE_OF_TOKENS,
) -> GpuSteps:
    """The fastest step for students that share a teacher.

    Models must be on the device and in their modes: the teacher in evaluation, in the precision in which it computes,
    and the students in training. Call it again if that changes.

    Args:
        pairs: one for each student, all with the same teacher, teacher's layer and relation heads.
        optimizers: one for each student, made by `make_optimizer` as recordable.
        tokens: the tokenised textbook.
        batch: sentences in a batch.
        seed: decides the order of the batches.
        compile_for: how often the layers of packed encoders are compiled.
        record: on a GPU, record the step once for each number of tokens.
        multiple: packed batches are filled up to a multiple of this many tokens.

    Raises:
        ValueError: the pairs do not share a teacher.
    """
    first = pairs[0]
    shared = {(id(pair.teacher), pair.teacher_layer, pair.relation_heads, pair.pad_id) for pair in pairs}
    if len(shared) > 1:
        raise ValueError("all pairs must have the same teacher, teacher layer and relation heads")
    longest = tokens.longest
    reasons = [reason for pair in pairs if (reason := why_padded(pair, longest))]
    if reasons:
        _log.warning("distill: runs padded, not packed: %s", reasons[0])
        padded = BatchStream(tokens.offsets, batch, seed)
        read_teacher = padded_reader(first.teacher, first.teacher_layer, "teacher")
        readers = [padded_reader(pair.student, pair.student_layer, "student") for pair in pairs]
    else:
        random = RandomBatches(len(tokens), batch, seed)
        read_teacher = packed_reader(first.teacher, first.teacher_layer, "teacher", longest, compile_for)
        readers = [packed_reader(pair.student, pair.student_layer, "student", longest, compile_for) for pair in pairs]

    def make(step: int) -> Batch:
        if reasons:
            made = make_batch(tokens, padded.rows(step), first.pad_id, size=batch, multiple=MULTIPLE)
        else:
            made = pack_batch(tokens, random.rows(step), first.pad_id, multiple=multiple, longest=longest)
        return made.pinned() if device.kind.type == "cuda" else made

    take = _take_step(pairs, optimizers, read_teacher, readers, device, _objective(pairs, longest))
    recorded = record and device.kind.type == "cuda"
    return GpuSteps(not reasons, make, RecordedSteps(take, CudaRecorder()) if recorded else take)


def _take_step(
    pairs: Sequence[DistillationPair],
    optimizers: Sequence[Optimizer],
    read_teacher: Read,
    readers: Sequence[Read],
    device: Device,
    objective: Objective,
) -> Callable[[Batch], tuple[Tensor, Tensor]]:
    """A step of all students: one pass of the teacher, then each student's pass, loss and update."""

    def take(batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            target = read_teacher(batch)
        losses, norms = [], []
        for pair, optimizer, read in zip(pairs, optimizers, readers, strict=True):
            with device.autocast():
                states = read(batch)
            loss = objective(target, states, batch)
            norms.append(update_weights(loss, pair.student, optimizer))
            losses.append(loss.detach())
        return torch.stack(losses), torch.stack(norms)

    return take


def _objective(pairs: Sequence[DistillationPair], longest: int) -> Objective:
    """The relation loss of states [tokens, 3 H]."""
    heads = pairs[0].relation_heads

    def fused(target: Tensor, states: Tensor, batch: Batch) -> Tensor:
        if "starts" in batch.inputs:
            sentences = Sentences.packed(batch.inputs["starts"], batch.weights, longest)
        else:
            sentences = Sentences.padded(batch.inputs["attention_mask"], batch.weights)
        return packed_relation_loss(target, states, sentences, heads)

    def plain(target: Tensor, states: Tensor, batch: Batch) -> Tensor:
        mask = batch.inputs["attention_mask"]
        teacher, student = (x.view(*mask.shape, -1).chunk(3, dim=2) for x in (target, states))
        loss: Tensor = compiled(teacher, student, mask, heads, batch.weights)
        return loss

    if any(_too_wide(pair, model) for pair in pairs for model in (pair.teacher, pair.student)):
        compiled = compiled_relation_loss()
        return plain
    return fused
