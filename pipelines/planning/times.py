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
from textbook.errors import UserError
from textbook.files import read_json, write_json

if TYPE_CHECKING:
    from textbook.plan.cost import Cost

TIMES = CACHE / "times"
AROUND = 2.0  # seconds that DVC takes before and after the process of a stage
SECONDS, EXPECTED, UNIT, BEGUN = "seconds", "expected", "expected_then", "begun"


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Note how long the process of a stage has run when the block ends well.

    That of a run after one that failed or was killed is not noted: it may have had only the rest of the work to do.
    """
    noted = _read(stage)
    _note(stage, {**noted, BEGUN: True})
    yield
    if not noted.get(BEGUN):
        noted |= {SECONDS: time.time() - psutil.Process().create_time(), UNIT: noted.get(EXPECTED)}
    _note(stage, {**noted, BEGUN: False})


def expect(costs: Mapping[str, Cost]) -> None:
    """Note the model's estimates of stages that will run."""
    for stage, cost in costs.items():
        noted = _read(stage)
        if noted.get(EXPECTED) != cost.seconds:
            _note(stage, {**noted, EXPECTED: cost.seconds})


def as_last_time(stage: str, cost: Cost) -> Cost | None:
    """The cost of a stage with the time that it last took, in proportion to the work; None if it has not run here.

    Args:
        cost: the model's estimate.
    """
    noted = _read(stage)
    if SECONDS not in noted:
        return None
    growth = cost.seconds / noted[UNIT] if noted.get(UNIT) else 1.0
    return replace(cost, seconds=growth * (noted[SECONDS] + AROUND))


def _note(stage: str, values: Mapping[str, Any]) -> None:
    """Write what is noted of a stage, if that is possible: a stage does not fail for it."""
    with suppress(OSError):
        write_json(_path(stage), values)


def _read(stage: str) -> dict[str, Any]:
    """What is noted of a stage; nothing if the file is missing or damaged."""
    with suppress(OSError, UserError):
        noted = read_json(_path(stage))
        return noted if isinstance(noted, dict) else {}
    return {}


def _path(stage: str) -> Path:
    return TIMES / f"{quote(stage, safe='@')}.json"
