"""Distillation: the student learns the teacher's attention relations on a textbook (MiniLMv2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textbook.training.distillation.cohort import distill_cohort
from textbook.training.distillation.learner import Member
from textbook.training.distillation.pair import DistillationPair
from textbook.training.engine.device import Device
from textbook.training.engine.log import Log, silent
from textbook.training.engine.tokens import Tokens

if TYPE_CHECKING:
    from textbook.params import Distill


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
    """Train one student in place. The arguments are those of `Member` and `distill_cohort`.

    Raises:
        UserError: see `distill_cohort`; or the loss is not finite.
        SystemExit: SIGTERM was received and a checkpoint was written.
    """
    (error,) = distill_cohort([Member(pair, settings, log, checkpoints, snapshots)], tokens, devices=devices)
    if error:
        raise error
