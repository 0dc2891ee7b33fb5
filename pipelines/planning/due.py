"""The stages that `dvc repro` would run now, as DVC knows them.

DVC's own `status` compares each stage with what is there, and does not say what follows from it: a stage after one that
runs is in order until then. So its graph is walked here, with the same comparisons. A stage whose outputs are gone, and
in DVC's cache, is restored without running.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ALWAYS_THE_SAME = ("params", "folder")
"""Stages whose outputs do not change when they run again: they say that something was checked."""


@dataclass(frozen=True)
class Stage:
    """A stage, and whether it would run."""

    name: str
    runs: bool
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Bytes of its outputs by path, of the last run with the same parameters of its own."""


def read_stages(targets: Sequence[str] = ()) -> list[Stage]:
    """The stages of the pipeline, or those that some targets need, in an order in which DVC could run them.

    Raises:
        Exception: DVC cannot read the pipeline; its own message says why.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import plan_repro

    with Repo() as repo:
        graph = repo.index.graph
        wanted = [stage for target in targets for stage in repo.stage.collect(target)]
        states: dict[Any, str] = {}
        hashes: dict[str, Any] = {}
        stages = []
        for stage in plan_repro(graph, wanted or None):
            states[stage] = _state(stage, [(other, states[other]) for other in graph.successors(stage)], hashes)
            stages.append(Stage(stage.addressing, states[stage] == "runs", dict(_sizes(stage))))
        return stages


def _state(stage: Any, before: Sequence[tuple[Any, str]], hashes: dict[str, Any]) -> str:
    """Whether a stage `runs`, is `restored` from the cache, or is in order (``).

    Args:
        before: the stages that it depends on, with their states.
        hashes: the hashes of the dependencies looked at so far, by path.
    """
    changing = [other for other, state in before if state == "runs" and not _is_constant(other)]
    if stage.cmd_changed or stage.always_changed or changing:
        return "runs"
    remade = [out.fs_path for other, state in before if state for out in other.outs]
    if any(_has_changed(dependency, hashes) for dependency in stage.deps if not _is_in(dependency.fs_path, remade)):
        return "runs"
    outputs = [status for out in stage.outs for status in out.status().values()]
    if any(status == "not in cache" for status in outputs) or any(
        out.status() for out in stage.outs if not out.use_cache
    ):
        return "runs"
    return "restored" if outputs else ""


def _is_constant(stage: Any) -> bool:
    return stage.addressing.partition("@")[0] in ALWAYS_THE_SAME


def _is_in(path: str, folders: Sequence[str]) -> bool:
    """Whether a path is one of some others, in one of them, or a folder with one of them in it."""
    return any(
        f"{path}{os.sep}".startswith(f"{other}{os.sep}") or other.startswith(f"{path}{os.sep}") for other in folders
    )


def _has_changed(dependency: Any, hashes: dict[str, Any]) -> bool:
    """Whether a file, a folder or a parameter is not what it was when the stage ran.

    Many stages depend on the same code, which is hashed once.
    """
    from dvc.dependency import ParamsDependency

    if isinstance(dependency, ParamsDependency):
        return bool(dependency.status())
    path = dependency.fs_path
    if path not in hashes:
        hashes[path] = dependency.get_hash() if dependency.exists else None
    return bool(hashes[path] is None or hashes[path] != dependency.hash_info)


def _sizes(stage: Any) -> Iterator[tuple[str, float]]:
    """The sizes of the outputs that the lock file has, if they are those of the present parameters."""
    from dvc.dependency import ParamsDependency

    if any(dependency.status() for dependency in stage.deps if isinstance(dependency, ParamsDependency)):
        return
    for out in stage.outs:
        if out.meta.size is not None:
            yield str(out), float(out.meta.size)
