"""Fine-tuning a classifier: teachers, and students in task mode adaptation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from textbook.models.encoder import inputs_for
from textbook.training.batches import epoch_batches
from textbook.training.checkpoints import load_checkpoint, save_checkpoint
from textbook.training.device import Device
from textbook.training.log import Log, silent
from textbook.training.objective import GOLD, Objective
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.replicas import Replica
from textbook.training.tokens import Tokens, collate

Measure = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Labelled:
    """Tokenised texts and what is right for each: the number of a class (int64), or a number on a scale (float32)."""

    tokens: Tokens
    labels: NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How to fine-tune; the fields are those of `teacher` and `adapt` in the parameters."""

    epochs: int
    batch: int
    lr: float
    warmup: float
    weight_decay: float
    seed: int
    patience: int | None = None
    """Stop after so many epochs in a row without a better one, and go back to the best; null: train to the end."""


def finetune(
    model: nn.Module,
    train: Labelled,
    settings: Settings,
    *,
    measure: Measure,
    pad_id: int,
    device: Device,
    name: str,
    objective: Objective = GOLD,
    log: Log = silent,
    checkpoints: Path | None = None,
) -> dict[str, float]:
    """Train a classifier in place.

    Args:
        measure: gives the figures of the model on validation data, the first of which decides which epoch is better.
        name: what the progress bar says.
        objective: the loss, which the labels alone make unless it says otherwise.
        log: gets `loss` (mean over the epoch) and the figures after every epoch.
        checkpoints: a folder of this very run, without patience; it goes on from the newest one there, after an epoch.

    Returns:
        The figures after the last epoch: no epoch is chosen by the data it is judged on. With patience those of the
        best epoch, which is: on the validation data they are then a little too good.
    """
    model.to(device.kind)
    per_epoch = -(-len(train.tokens) // settings.batch)
    steps = settings.epochs * per_epoch
    optimizer = make_optimizer(model, settings.weight_decay)
    torch.manual_seed(settings.seed)
    step = load_checkpoint(checkpoints, model, optimizer, {}, Replica()) if checkpoints else 0
    figures: dict[str, float] = {}
    best = Best()
    with tqdm(total=steps, initial=step, desc=name, unit="step") as progress:
        for epoch in range(step // per_epoch, settings.epochs):
            model.train()
            losses = []
            for rows in epoch_batches(train.tokens.offsets, settings.batch, settings.seed, epoch):
                batch = {key: part.to(device.kind) for key, part in collate(train.tokens, rows, pad_id).items()}
                labels = torch.from_numpy(train.labels[rows]).to(device.kind)
                with device.autocast():
                    logits = model(**inputs_for(model, batch)).logits
                loss = objective.loss(logits, labels, rows)
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                rate = learning_rate(step, peak=settings.lr, warmup=settings.warmup, steps=steps)
                set_rate(optimizer, rate)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                losses.append(loss.detach())
                progress.update()
                step += 1
            figures = measure(model)
            loss_mean = float(torch.stack(losses).mean())
            log(epoch + 1, {"loss": loss_mean, **figures})
            deciding, value = next(iter(figures.items()))
            progress.set_postfix_str(f"loss {loss_mean:.3f}, {deciding} {value:.3f}")
            if checkpoints:
                save_checkpoint(checkpoints, step, model, optimizer, {}, Replica())
            if settings.patience is not None and best.is_past(model, epoch, figures, settings.patience):
                break
    if settings.patience is not None:
        model.load_state_dict(best.weights)
        figures = best.figures
    return figures or measure(model)  # nothing, if it was killed when all epochs were done


class Best:
    """The weights of the best epoch so far, for early stopping."""

    def __init__(self) -> None:
        self.epoch, self.value = -1, -np.inf
        self.figures: dict[str, float] = {}
        self.weights: dict[str, Tensor] = {}

    def is_past(self, model: nn.Module, epoch: int, figures: dict[str, float], patience: int) -> bool:
        """Remember the epoch if it is better than all before; whether the best lies `patience` epochs back."""
        value = next(iter(figures.values()))
        if value > self.value:
            self.epoch, self.value, self.figures = epoch, value, figures
            self.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return epoch - self.epoch >= patience


@torch.no_grad()
def predict(model: nn.Module, tokens: Tokens, *, pad_id: int, device: Device, batch: int = 64) -> NDArray[np.float32]:
    """The outputs of a classifier for each text, in order; in the precision of its weights, as its users will run it.

    Returns:
        Logits [texts, classes], or numbers [texts, 1].
    """
    model.to(device.kind).eval()
    order = np.argsort(tokens.lengths(), kind="stable")
    found = []
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = {key: part.to(device.kind) for key, part in collate(tokens, rows, pad_id).items()}
        found.append(model(**inputs_for(model, inputs)).logits.float().cpu().numpy())
    sorted_outputs = np.concatenate(found)
    outputs = np.empty_like(sorted_outputs)
    outputs[order] = sorted_outputs
    return outputs
