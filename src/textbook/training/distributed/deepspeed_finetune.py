"""Fine-tuning on several processes with DeepSpeed's ZeRO [Rajbhandari et al. 2020].

Each process computes its part of every batch, and the training state is sharded over the processes: from stage 1 on the
optimizer's moments, from stage 2 on also the gradients, in stage 3 also the weights. A step computes the same as a step
of the plain loop in `finetune`: the batches and their order are the same, and so is the gradient.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from textbook.files import atomic_write
from textbook.models.encoder import inputs_for
from textbook.params import FineTuning, Teacher
from textbook.training.distributed.deepspeed_engine import make_engine, restore_engine, save_engine, whole_weights
from textbook.training.distributed.ray_workers import Report
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.checkpoints import load_weights, read_newest
from textbook.training.engine.checks import check_finite, check_loss
from textbook.training.engine.log import log_to_file
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.engine.tokens import collate
from textbook.training.finetuning.finetune import run_identity
from textbook.training.finetuning.labelled import Labelled, check_labelled
from textbook.training.finetuning.objective import gold_loss
from textbook.training.finetuning.predict import Measure

CHECKPOINT_SECONDS = 120
ASK_EVERY = 10  # steps after which rank 0 decides for all processes whether a checkpoint is due


@dataclass(frozen=True)
class Result:
    """The result of training in one process."""

    metrics: dict[str, float]
    """On the validation data."""
    losses: list[float]
    """The loss of every step, over its whole batch."""
    seconds: float
    """Time for the steps of this run, without loading, evaluation and saving."""
    peak_bytes: int
    """Peak GPU memory of this process, or peak resident memory if there is no GPU."""


def finetune_with_zero(
    make_model: Callable[[], PreTrainedModel],
    train: Labelled,
    settings: FineTuning,
    seed: int,
    how: Teacher,
    measure: Measure,
    pad_id: int,
    work: Path,
    report: Report,
) -> Result:
    """Fine-tune as one of the processes of `torch.distributed`.

    Args:
        make_model: returns the classifier, the same in every process.
        how: precision, accumulation, checkpointing and ZeRO.
        measure: returns the model's metrics on validation data.
        work: a folder used by this run only, visible to all processes. Checkpoints, `history.jsonl` (`loss` and the
            metrics after every epoch) and the trained `model` are written to it. The run resumes from the newest
            checkpoint.
        report: called with the number of steps done.

    Raises:
        UserError: the model cannot read the texts, the loss or the weights are not finite, or the checkpoint belongs
            to another run or model.
    """
    stream = BatchStream(train.tokens.offsets, settings.batch, seed)
    steps = settings.epochs * stream.per_epoch
    work.mkdir(parents=True, exist_ok=True)
    rank, log = dist.get_rank(), log_to_file(work / "history.jsonl")
    run = run_identity(train, settings, seed)
    model, newest = make_model(), read_newest(work / "checkpoints", run)
    check_labelled(model.config, train, pad_id, "teacher")
    if newest is not None:
        path, tensors = newest
        load_weights(model, tensors, path)
    if how.checkpointing:
        model.gradient_checkpointing_enable()  # type: ignore[no-untyped-call]
    engine = make_engine(model, make_optimizer(model, settings.weight_decay), how, settings.batch)
    losses = torch.zeros(0, device=engine.device)

    def step(number: int, rate: float) -> Tensor:
        # Depends only on seed, step and process, so that a resumed run draws the same dropout masks.
        torch.manual_seed((seed << 40) + number * dist.get_world_size() + rank)
        set_rate(engine.optimizer, rate)
        return _step(engine, train, stream.rows(number), how.accumulation, pad_id)

    if newest is not None:
        losses = tensors["losses"].to(engine.device)
        engine.train()
        restore_engine(engine, tensors, lambda: step(len(losses), 0.0))
        tensors.clear()  # they are larger than the model
    seconds, resumed = 0.0, time.monotonic()
    metrics: dict[str, float] = {}
    text = ""
    pending: list[Tensor] = []  # this process's part of the losses since they were last summed
    for number in range(len(losses), steps):
        engine.train()
        pending.append(step(number, learning_rate(number, steps, settings)))
        epoch, remainder = divmod(number + 1, stream.per_epoch)
        check_time = (number + 1) % ASK_EVERY == 0
        if remainder == 0 or (
            check_time and _decide_on_rank_0(time.monotonic() - resumed > CHECKPOINT_SECONDS, engine.device)
        ):
            losses, pending = torch.cat([losses, _all_reduce(torch.stack(pending))]), []
            seconds += time.monotonic() - resumed
            if remainder == 0:
                mean = float(losses[-stream.per_epoch :].mean())
                check_loss(mean, "teacher", epoch, "teacher.lr", settings.lr)
                metrics = measure(engine.module)
                if rank == 0:
                    log(epoch, {"loss": mean, **metrics})
                deciding, value = next(iter(metrics.items()))
                text = f"loss {mean:.3f}, {deciding} {value:.3f}"
            save_engine(engine, work / "checkpoints", losses, run)
            resumed = time.monotonic()
        report(number + 1, text)
    weights = whole_weights(engine)
    metrics = metrics or measure(engine.module)  # empty if the run was killed after its last step
    if rank == 0:
        check_finite(weights, "teacher", "teacher.lr", settings.lr)
        with atomic_write(work / "model") as temporary:
            model.save_pretrained(temporary, state_dict=weights)
    return Result(metrics, losses.tolist(), seconds, peak_bytes())


def _step(engine: Any, train: Labelled, rows: NDArray[np.int64], accumulation: int, pad_id: int) -> Tensor:
    """Train on a batch and return this process's part of the loss. The parts of all processes add up to the loss."""
    size, rank = dist.get_world_size(), dist.get_rank()
    loss = torch.zeros((), device=engine.device)
    for part in np.array_split(rows, size * accumulation)[rank * accumulation : (rank + 1) * accumulation]:
        weight = len(part) / len(rows)
        # The last batch can have fewer rows than parts. A row of weight 0 then keeps the processes in step.
        filled = part if len(part) else rows[:1]
        batch = {key: tensor.to(engine.device) for key, tensor in collate(train.tokens, filled, pad_id).items()}
        labels = torch.from_numpy(train.labels[filled]).to(engine.device)
        part_loss = weight * gold_loss(engine(**inputs_for(engine.module, batch)).logits, labels)
        engine.backward(size * part_loss, scale_wrt_gas=False)  # DeepSpeed takes the mean over the processes
        engine.step()
        loss += part_loss.detach()
    return loss


def _all_reduce(tensor: Tensor) -> Tensor:
    dist.all_reduce(tensor)
    return tensor


def _decide_on_rank_0(decision: bool, device: torch.device) -> bool:
    """The decision of rank 0, in every process."""
    shared = torch.tensor(int(decision), device=device)
    dist.broadcast(shared, 0)
    return bool(shared)


def peak_bytes() -> int:
    """Peak GPU memory of this process, or peak resident memory if there is no GPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
