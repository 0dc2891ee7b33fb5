"""Folders for resumable work, named by a hash of everything that determines the result."""

from pathlib import Path
from typing import Any

from pipelines.code import hash_code
from pipelines.paths import CACHE
from textbook.files import digest, remove

CELL = "cell"
"""The stage name of a sweep's cells; all other names are stages of `dvc.yaml`."""


def work_key(stage: str, *inputs: Any) -> str:
    """A short name for a result, which changes with its inputs and with the code of its stage.

    Args:
        stage: a stage of DVC, such as `corpus` or `distill@sst2`.
        inputs: everything besides the code that determines the result, as JSON values.
    """
    return digest(hash_code(_module(stage)), inputs)


def work_folder(stage: str, *inputs: Any, root: Path = CACHE / "work") -> Path:
    """The folder in which a stage keeps unfinished work, so that it can resume after it was killed.

    It is `<root>/<stage>/<work_key>`. The stage's other folders are stale and are removed.

    Args:
        stage, inputs: see `work_key`.
    """
    folder = root / stage / work_key(stage, *inputs)
    for other in folder.parent.glob("*"):
        if other != folder:
            remove(other)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _module(stage: str) -> str:
    name = stage.partition("@")[0]
    return "pipelines.sweep.cohort" if name == CELL else f"pipelines.stages.{name}"
