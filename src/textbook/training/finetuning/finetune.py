"""Fine-tuning a classifier: teachers, and students in task mode adaptation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from textbook.models.encoder import inputs_for
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.checkpoints import Checkpoints
from textbook.training.engine.checks import check_finite, check_loss
from textbook.training.engine.cpu_training import faster_on_cpu
from textbook.training.engine.device import Device
from textbook.training.engine.log import Log, silent
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate, update_weights
from textbook.training.engine.tokens import collate
from textbook.training.finetuning.labelled import Labelled, check_labelled
from textbook.training.finetuning.objective import GOLD, Objective
from textbook.training.finetuning.predict import Measure

if TYPE_CHECKING:
    from textbook.params import FineTuning

ReportStep = Callable[[int, str], None]
"""Called after every step with the number of steps done, and after an epoch with a short text on it, otherwise ''."""
IDENTITY = ("epochs", "batch", "lr", "warmup", "weight_decay", "max_length")
"""The settings that a checkpoint must match: the fields of `FineTuning`."""


def finetune(
    model: nn.Module,
    train: Labelled,
    settings: FineTuning,
    seed: int,
    *,
    measure: Measure,
    pad_id: int,
    device: Device,
    name: str,
    section: str,
    objective: Objective = GOLD,
    patience: int | None = None,
    log: Log = silent,
    checkpoints: Path | None = None,
    report: ReportStep | None = None,
) -> dict[str, float]:
    """Train a classifier in place.

    Args:
        measure: returns the model's metrics on validation data, after every epoch.
        name: the label of the progress bar.
        section: the section of the parameters with the settings, in error messages: `teacher` or `adapt`.
        objective: the loss; by default the loss on the gold labels.
        patience: stop after this many consecutive epochs without an improvement, and restore the best epoch; None:
            train to the end. The best epoch is not part of a checkpoint, so patience and checkpoints cannot be
            combined.
        log: called after every epoch with `loss` (the mean over the epoch) and the metrics.
        checkpoints: a folder used by this run only. The run resumes from the newest checkpoint in it and ends with the
            same weights.
        report: shows the progress elsewhere; None: a progress bar does.

    Returns:
        The metrics after the last epoch. With patience, the metrics of the best epoch. That epoch is selected on the
        same validation data, so these metrics are slightly optimistic.

    Raises:
        UserError: the model cannot read the texts or has too few outputs, the checkpoint belongs to another run, or
            the loss or the weights are not finite.
        SystemExit: SIGTERM was received and a checkpoint was written.
    """
    assert patience is None or checkpoints is None, "the best epoch is not part of a checkpoint"
    check_labelled(model.config, train, pad_id, section)
    model.to(device.kind)
    stream = BatchStream(train.tokens.offsets, settings.batch, seed)
    steps = settings.epochs * stream.per_epoch
    optimizer = make_optimizer(model, settings.weight_decay)
    torch.manual_seed(seed)
    saver = Checkpoints(checkpoints, model, optimizer, run_identity(train, settings, seed))
    done, extra = saver.resume()
    losses = list(extra.get("losses", torch.zeros(0)).to(device.kind))  # of the epoch so far
    metrics: dict[str, float] = {}
    best = BestEpoch()
    bar = tqdm(total=steps, initial=done, desc=name, unit="step", disable=report is not None)
    with bar as progress, saver.saving_on_sigterm(), faster_on_cpu(model):
        for step in range(done, steps):
            model.train()
            rows = stream.rows(step)
            batch = {key: part.to(device.kind) for key, part in collate(train.tokens, rows, pad_id).items()}
            labels = torch.from_numpy(train.labels[rows]).to(device.kind)
            with device.autocast():
                logits = model(**inputs_for(model, batch)).logits
            loss = objective.loss(logits, labels, rows)
            set_rate(optimizer, learning_rate(step, steps, settings))
            update_weights(loss, model, optimizer)
            losses.append(loss.detach())
            progress.update()
            epoch, remainder = divmod(step + 1, stream.per_epoch)
            text = ""
            if remainder == 0:
                mean, losses = float(torch.stack(losses).mean()), []
                check_loss(mean, name, epoch, f"{section}.lr", settings.lr)
                check_finite(model.state_dict(), name, f"{section}.lr", settings.lr)
                metrics = measure(model)
                log(epoch, {"loss": mean, **metrics})
                deciding, value = next(iter(metrics.items()))
                text = f"loss {mean:.3f}, {deciding} {value:.3f}"
                progress.set_postfix_str(text)
            if report:
                report(step + 1, text)
            saver.after_step(step + 1, due=remainder == 0, extra=partial(_as_tensor, losses))
            if remainder == 0 and patience is not None and best.update(model, epoch, metrics) >= patience:
                break
    if patience is not None:
        model.load_state_dict(best.weights)
        return best.metrics
    return metrics or measure(model)  # empty if the run was killed after its last step


def run_identity(train: Labelled, settings: FineTuning, seed: int) -> dict[str, object]:
    """The settings and data that a checkpoint must match to be resumed."""
    data = {"texts": len(train.tokens), "tokens": int(train.tokens.offsets[-1])}
    return {**{name: getattr(settings, name) for name in IDENTITY}, "seed": seed, **data}


def _as_tensor(losses: Sequence[Tensor]) -> dict[str, Tensor]:
    return {"losses": torch.tensor(losses)}


class BestEpoch:
    """The best epoch so far and its weights, for early stopping."""

    def __init__(self) -> None:
        self.epoch, self.value = 0, -np.inf
        self.metrics: dict[str, float] = {}
        self.weights: dict[str, Tensor] = {}

    def update(self, model: nn.Module, epoch: int, metrics: dict[str, float]) -> int:
        """Keep the weights if this is the best epoch so far. Returns the number of epochs since the best one."""
        value = next(iter(metrics.values()))
        if value > self.value:
            self.epoch, self.value, self.metrics = epoch, value, metrics
            self.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return epoch - self.epoch
