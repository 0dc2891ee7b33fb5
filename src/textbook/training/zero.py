"""Fine-tuning on several processes with DeepSpeed's ZeRO [Rajbhandari et al. 2020].

Each process takes its part of every batch, and what training needs is spread over them: from stage 1 on the optimizer's
moments, from stage 2 on the gradients too, in stage 3 the weights too. A step is that of the plain loop in `finetune`:
the same batches in the same order, and the gradient of the whole batch.
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

from textbook.errors import UserError
from textbook.files import write_aside
from textbook.models.encoder import inputs_for
from textbook.params import Teacher
from textbook.processes import Report
from textbook.training.batches import BatchStream
from textbook.training.checkpoints import load_weights, read_newest
from textbook.training.finetune import Labelled, Measure, Settings
from textbook.training.log import log_to_file
from textbook.training.objective import gold_loss
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.shards import make_engine, restore_engine, save_engine, whole_weights
from textbook.training.tokens import collate

CHECKPOINT_SECONDS = 120
ASK_EVERY = 10  # steps between two looks at the clock, on which all processes have to agree


@dataclass(frozen=True)
class Result:
    """What each process can tell after training."""

    figures: dict[str, float]
    """On the validation data."""
    losses: list[float]
    """Of every step, over its whole batch."""
    seconds: float
    """For the steps that this run made, without loading, measuring and saving."""
    peak_bytes: int
    """Of memory in this process: the GPU's, or without one the machine's."""


def finetune_with_zero(
    make_model: Callable[[], PreTrainedModel],
    train: Labelled,
    settings: Settings,
    how: Teacher,
    measure: Measure,
    pad_id: int,
    work: Path,
    report: Report,
) -> Result:
    """Fine-tune as one of the processes of `torch.distributed`.

    Args:
        make_model: gives the classifier, the same in every process.
        how: precision, accumulation, checkpointing and ZeRO.
        measure: gives the figures of the model on validation data.
        work: a folder of this very run, which all processes see: for its checkpoints, from the newest of which it goes
            on; for `history.jsonl` with `loss` and the figures after every epoch; and for `model`, the trained one.
        report: told the steps done.

    Raises:
        UserError: the loss is no longer finite, or the checkpoint is that of another model.
    """
    stream = BatchStream(train.tokens.offsets, settings.batch, settings.seed)
    steps = settings.epochs * stream.per_epoch
    work.mkdir(parents=True, exist_ok=True)
    rank, log = dist.get_rank(), log_to_file(work / "history.jsonl")
    model, newest = make_model(), read_newest(work / "checkpoints", {})
    if newest is not None:
        path, tensors = newest
        load_weights(model, tensors, path)
    if how.checkpointing:
        model.gradient_checkpointing_enable()  # type: ignore[no-untyped-call]
    engine = make_engine(model, make_optimizer(model, settings.weight_decay), how, settings.batch)
    losses = torch.zeros(0, device=engine.device)

    def step(number: int, rate: float) -> Tensor:
        # A function of seed, step and process, so that a run that goes on from a checkpoint drops the same units.
        torch.manual_seed((settings.seed << 40) + number * dist.get_world_size() + rank)
        set_rate(engine.optimizer, rate)
        return _step(engine, train, stream.rows(number), how.accumulation, pad_id)

    if newest is not None:
        losses = tensors["losses"].to(engine.device)
        engine.train()
        restore_engine(engine, tensors, lambda: step(len(losses), 0.0))
        tensors.clear()  # they are larger than the model
    seconds, resumed = 0.0, time.monotonic()
    figures: dict[str, float] = {}
    text = ""
    pending: list[Tensor] = []  # this process's part of the losses since they were last added up
    for number in range(len(losses), steps):
        engine.train()
        rate = learning_rate(number, peak=settings.lr, warmup=settings.warmup, steps=steps)
        pending.append(step(number, rate))
        epoch, place = divmod(number + 1, stream.per_epoch)
        ask = (number + 1) % ASK_EVERY == 0
        if place == 0 or (ask and _agreed(time.monotonic() - resumed > CHECKPOINT_SECONDS, engine.device)):
            losses, pending = torch.cat([losses, _added_up(torch.stack(pending))]), []
            seconds += time.monotonic() - resumed
            if place == 0:
                mean = float(losses[-stream.per_epoch :].mean())
                if not np.isfinite(mean):
                    hint = f"a smaller teacher.lr than {settings.lr} may help"
                    raise UserError(f"teacher: the loss of epoch {epoch} is {mean}; {hint}")
                figures = measure(engine.module)
                if rank == 0:
                    log(epoch, {"loss": mean, **figures})
                deciding, value = next(iter(figures.items()))
                text = f"loss {mean:.3f}, {deciding} {value:.3f}"
            save_engine(engine, work / "checkpoints", losses)
            resumed = time.monotonic()
        report(number + 1, text)
    weights = whole_weights(engine)
    figures = figures or measure(engine.module)  # it was killed when nothing else was left to do
    if rank == 0:
        with write_aside(work / "model") as aside:
            model.save_pretrained(aside, state_dict=weights)
    return Result(figures, losses.tolist(), seconds, peak_bytes())


def _step(engine: Any, train: Labelled, rows: NDArray[np.int64], accumulation: int, pad_id: int) -> Tensor:
    """One step on a batch; gives this process's part of the loss, which is the sum over all processes."""
    size, rank = dist.get_world_size(), dist.get_rank()
    loss = torch.zeros((), device=engine.device)
    for part in np.array_split(rows, size * accumulation)[rank * accumulation : (rank + 1) * accumulation]:
        share = len(part) / len(rows)
        own = part if len(part) else rows[:1]  # of a last batch with fewer rows than parts: weighs 0, but keeps in step
        batch = {key: tensor.to(engine.device) for key, tensor in collate(train.tokens, own, pad_id).items()}
        labels = torch.from_numpy(train.labels[own]).to(engine.device)
        part_loss = share * gold_loss(engine(**inputs_for(engine.module, batch)).logits, labels)
        engine.backward(size * part_loss, scale_wrt_gas=False)  # DeepSpeed takes the mean over the processes
        engine.step()
        loss += part_loss.detach()
    return loss


def _added_up(tensor: Tensor) -> Tensor:
    dist.all_reduce(tensor)
    return tensor


def _agreed(wish: bool, device: torch.device) -> bool:
    """What rank 0 wishes."""
    wishes = torch.tensor(int(wish), device=device)
    dist.broadcast(wishes, 0)
    return bool(wishes)


def peak_bytes() -> int:
    """The most memory that this process had: the GPU's, or without one the machine's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
