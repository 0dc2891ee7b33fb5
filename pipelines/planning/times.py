"""How long the stages took when they last ran on this machine.

A time counts in proportion to the work. So the estimate of the work is kept beside it: a stage that now has twice the
estimated work is taken to need twice the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil

from pipelines.paths import CACHE
from pipelines.planning.machine import processor_key
from textbook.errors import UserError
from textbook.files import read_json, write_json

if TYPE_CHECKING:
    from textbook.plan.cost import Cost

TIMES = CACHE / "times"
ESTIMATES = CACHE / "estimates.json"  # the model's, of the stages that the last plans had
AROUND = 2.0  # seconds that DVC takes before and after the process of a stage
SECONDS, ESTIMATE, BEGUN, MACHINE = "seconds", "estimate", "begun", "machine"


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Note how long the process of a stage has run when the block ends well.

    That of a run after one that failed or was killed is not noted: it may have had only the rest of the work to do.
    """
    path = _path(stage)
    noted = _read(path)
    _write(path, {**noted, BEGUN: True})
    yield
    if not noted.get(BEGUN):
        seconds = time.time() - psutil.Process().create_time()
        noted |= {SECONDS: seconds, ESTIMATE: _read(ESTIMATES).get(stage), MACHINE: processor_key()}
    _write(path, {**noted, BEGUN: False})


def expect(costs: Mapping[str, Cost]) -> None:
    """Note the model's estimates of stages that will run."""
    before = _read(ESTIMATES)
    estimates = before | {stage: round(cost.seconds, 3) for stage, cost in costs.items()}
    if estimates != before:
        _write(ESTIMATES, estimates)


def as_last_time(stage: str, cost: Cost) -> Cost | None:
    """The cost of a stage with the time that it last took, in proportion to the work; None if it has not run here.

    Args:
        cost: the model's estimate.
    """
    noted = _read(_path(stage))
    if SECONDS not in noted or noted.get(MACHINE) != processor_key():
        return None
    growth = cost.seconds / noted[ESTIMATE] if noted.get(ESTIMATE) else 1.0
    return replace(cost, seconds=growth * (noted[SECONDS] + AROUND))


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Write notes, if that is possible: a stage does not fail for them."""
    with suppress(OSError):
        write_json(path, values)


def _read(path: Path) -> dict[str, Any]:
    """Notes; none if the file is missing or damaged."""
    with suppress(OSError, UserError):
        noted = read_json(path)
        return noted if isinstance(noted, dict) else {}
    return {}


def _path(stage: str) -> Path:
    return TIMES / f"{quote(stage, safe='@')}.json"
