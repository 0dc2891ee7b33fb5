"""Fine-tuning a classifier on gold labels: teachers, and students in task mode adaptation."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from textbook.models.encoder import inputs_for
from textbook.training.batches import epoch_batches
from textbook.training.device import Device
from textbook.training.log import Log, silent
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.tokens import Tokens, collate


@dataclass(frozen=True)
class Labelled:
    """Tokenised texts and the number of the class of each."""

    tokens: Tokens
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """How to fine-tune; the fields are those of `teacher` and `adapt` in the parameters."""

    epochs: int
    batch: int
    lr: float
    warmup: float
    weight_decay: float
    seed: int


def finetune(
    model: nn.Module,
    train: Labelled,
    validation: Labelled,
    settings: Settings,
    *,
    pad_id: int,
    device: Device,
    name: str,
    log: Log = silent,
) -> float:
    """Train a classifier in place.

    Args:
        name: what the progress bar says.
        log: gets `loss` (mean over the epoch) and `accuracy` (validation) after every epoch.

    Returns:
        Validation accuracy (0 to 1) after the last epoch: no epoch is chosen by the data it is judged on.
    """
    model.to(device.kind)
    steps = settings.epochs * -(-len(train.tokens) // settings.batch)
    step = 0
    optimizer = make_optimizer(model, settings.weight_decay)
    torch.manual_seed(settings.seed)
    accuracy = 0.0
    with tqdm(total=steps, desc=name, unit="step") as progress:
        for epoch in range(settings.epochs):
            model.train()
            losses = []
            for rows in epoch_batches(train.tokens.offsets, settings.batch, settings.seed, epoch):
                batch = {key: part.to(device.kind) for key, part in collate(train.tokens, rows, pad_id).items()}
                labels = torch.from_numpy(train.labels[rows]).to(device.kind)
                with device.autocast():
                    logits = model(**inputs_for(model, batch)).logits
                loss = F.cross_entropy(logits.float(), labels)
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                rate = learning_rate(step, peak=settings.lr, warmup=settings.warmup, steps=steps)
                set_rate(optimizer, rate)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                losses.append(loss.detach())
                progress.update()
                step += 1
            accuracy = float(
                (predict(model, validation.tokens, pad_id=pad_id, device=device) == validation.labels).mean()
            )
            loss_mean = float(torch.stack(losses).mean())
            log(epoch + 1, {"loss": loss_mean, "accuracy": accuracy})
            progress.set_postfix_str(f"loss {loss_mean:.3f}, accuracy {accuracy:.3f}")
    return accuracy


@torch.no_grad()
def predict(model: nn.Module, tokens: Tokens, *, pad_id: int, device: Device, batch: int = 64) -> NDArray[np.int64]:
    """The class that a model gives each text, in order; in the precision of its weights, as its users will run it."""
    model.to(device.kind).eval()
    order = np.argsort(tokens.lengths(), kind="stable")
    classes = np.zeros(len(tokens), np.int64)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = {key: part.to(device.kind) for key, part in collate(tokens, rows, pad_id).items()}
        classes[rows] = model(**inputs_for(model, inputs)).logits.argmax(1).cpu().numpy()
    return classes
