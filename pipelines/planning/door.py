"""The plan that a plain `dvc repro` prints first. Its first stage, `params`, runs whenever the parameters are new."""

import sys
from pathlib import Path

from pipelines.paths import CACHE
from textbook.files import atomic_write, sha256
from textbook.params import Params

ANNOUNCED = CACHE / "announced"
"""Has the hash of the parameters for which a plan was printed last."""
_PARAMS = Path("params.yaml")


def announce_at_door(params: Params) -> None:
    """Print the plan of the whole pipeline, at a terminal, unless one for these parameters was just printed."""
    if sys.stdout.isatty() and not is_announced():
        from pipelines.planning.plan import plan_stages  # it takes seconds
        from pipelines.planning.show import announce

        announce(lambda: plan_stages(params))


def is_announced() -> bool:
    """Whether the last plan that was printed is for the present parameters."""
    return ANNOUNCED.is_file() and ANNOUNCED.read_text(encoding="utf-8") == sha256(_PARAMS)


def remember_announced() -> None:
    """Note that a plan for the present parameters was printed."""
    with atomic_write(ANNOUNCED) as temporary:
        temporary.write_text(sha256(_PARAMS), encoding="utf-8")
