"""A student of a cohort, and the state of its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from textbook.errors import UserError
from textbook.files import atomic_write
from textbook.models.encoder import QkvReader
from textbook.training.distillation.pair import DistillationPair
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.checkpoints import Checkpoints
from textbook.training.engine.log import Log, silent
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.engine.random_state import random_state, set_random_state
from textbook.training.engine.replica import Replica
from textbook.training.engine.tokens import Tokens, collate

if TYPE_CHECKING:
    from textbook.params import Distill

RATE = "distill.lr (distill.second.lr in a second stage)"
"""The parameter with the learning rate, in error messages."""
SHARED = ("steps", "batch", "order_seed", "cuda_graphs", "deterministic", "shard_teacher")
"""The settings that all students of a cohort have in common."""
_IDENTITY = (*SHARED, "lr", "warmup", "weight_decay", "seed")
"""Settings that a checkpoint must match, besides the layers of the pair and the size of the textbook."""


@dataclass(frozen=True)
class Member:
    """A student of a cohort, and what is its own."""

    pair: DistillationPair
    settings: Distill
    """The section `distill` of the parameters."""
    log: Log = silent
    """Called every few steps with the mean `loss`, `lr` and `gradient_norm` of the student, its `tokens_per_second`,
    `waiting` (the share of the time spent waiting for data), and `share_of_peak` (useful FLOP/s of the whole cohort
    over the devices' peak)."""
    checkpoints: Path | None = None
    """A folder used by this student only. It goes on from the newest checkpoint in it."""
    snapshots: Path | None = None
    """A folder to which the student is saved after each step in `settings.snapshots`; a snapshot is named after its
    step, for example `00001000`."""


class Learner:
    """A member in training: its optimizer, checkpoints and random numbers. It goes on from its newest checkpoint.

    Args:
        recordable: see `make_optimizer`.

    Raises:
        UserError: the checkpoint belongs to another run.
    """

    def __init__(self, member: Member, tokens: Tokens, replica: Replica, *, recordable: bool) -> None:
        self.member, self.settings = member, member.settings
        self.student = member.pair.student
        self.read = QkvReader(self.student, member.pair.student_layer, "student")
        self.optimizer = make_optimizer(self.student, self.settings.weight_decay, recordable=recordable)
        torch.manual_seed(self.settings.seed + replica.rank)
        run = _identity(member.pair, tokens, self.settings)
        self.saver = Checkpoints(member.checkpoints, self.student, self.optimizer, run, replica)
        self.done, _ = self.saver.resume()
        self._random = random_state()
        self._losses: list[Tensor] = []  # of the steps since the last line of the log
        self._norm = torch.zeros(())
        self.error: UserError | None = None
        """Why the student has left its cohort."""

    @contextmanager
    def randomness(self) -> Iterator[None]:
        """Within the block, random numbers are the student's own."""
        set_random_state(self._random)
        yield
        self._random = random_state()

    def set_rate(self, step: int) -> None:
        """Set the learning rate of a step, counted from 0."""
        set_rate(self.optimizer, learning_rate(step, self.settings.steps, self.settings))

    def count(self, loss: Tensor, norm: Tensor) -> None:
        """Note the loss of a step, and the norm of its gradients."""
        self._losses.append(loss)
        self._norm = norm

    def read_figures(self, step: int) -> dict[str, float]:
        """The mean `loss` since the last reading, and `lr` and `gradient_norm` of the last step, counted from 0."""
        loss = float(torch.stack(self._losses).mean())
        self._losses = []
        rate = learning_rate(step, self.settings.steps, self.settings)
        return {"loss": loss, "lr": rate, "gradient_norm": float(self._norm)}

    def check_losses(self, step: int, tokens: Tokens, stream: BatchStream, *, save: bool) -> None:
        """Set `error` if a loss since the last reading is not finite.

        Args:
            step: the last step, counted from 0.
            save: save the batch of the bad step in the folder for checkpoints.
        """
        finite = torch.stack(self._losses).isfinite().tolist()
        if all(finite):
            return
        place = finite.index(False)
        bad = step + 1 - len(finite) + place
        saved = ""
        if save and self.member.checkpoints:
            path = self.member.checkpoints / f"batch-{bad + 1}.safetensors"
            with atomic_write(path) as temporary:
                save_file(collate(tokens, stream.rows(bad), self.member.pair.pad_id), temporary)
            saved = f"; its batch is in {path}"
        loss = self._losses[place].item()
        self.error = UserError(f"distill: the loss of step {bad + 1} is {loss}; try a smaller {RATE}{saved}")

    def save_snapshot(self, steps: int) -> None:
        """Save the student if a snapshot is wanted after this many steps."""
        if self.member.snapshots and steps in self.settings.snapshots:
            with atomic_write(self.member.snapshots / f"{steps:08}") as temporary:
                self.student.save_pretrained(temporary)

    def save_checkpoint(self, steps: int) -> None:
        """Save the state after this many steps, if there is a folder for it."""
        with self.randomness():
            self.saver.save(steps)


def _identity(pair: DistillationPair, tokens: Tokens, settings: Distill) -> dict[str, Any]:
    """What a checkpoint must match, so that a resumed run ends with the same weights as an uninterrupted one."""
    layers = {name: getattr(pair, name) for name in ("teacher_layer", "student_layer", "relation_heads")}
    sizes = {"texts": len(tokens), "tokens": int(tokens.offsets[-1])}
    values = {name: getattr(settings, name) for name in _IDENTITY}
    return {**values, "snapshots": list(settings.snapshots), **layers, **sizes}
