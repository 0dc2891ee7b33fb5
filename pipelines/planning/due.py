"""The stages that `dvc repro` would run now, as DVC knows them.

DVC's own `status` compares each stage with what is there, and does not say what follows from it: a stage after one that
runs is in order until then. So its graph is walked here, with the same comparisons. A stage whose outputs are gone, and
in DVC's cache, is restored without running.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textbook.errors import UserError

ALWAYS_THE_SAME = ("params", "folder")
"""Stages whose outputs do not change when they run again: they say that something was checked."""
_RUNS, _RESTORED, _IN_ORDER = "runs", "restored", ""


@dataclass(frozen=True)
class Stage:
    """A stage, and whether it would run."""

    name: str
    runs: bool
    stale: bool = False
    """Whether parameters, data or code, its own or of a stage before it, are not what they were when it ran."""
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Bytes of its outputs by path, of the last run with the same parameters of its own."""


def read_stages(targets: Sequence[str] = ()) -> list[Stage]:
    """The stages of the pipeline, or those that some targets need, in an order in which DVC could run them.

    Args:
        targets: names of stages; without an item, all stages of that name.

    Raises:
        UserError: there is no such stage.
        Exception: DVC cannot read the pipeline; its own message says why.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import plan_repro

    with Repo() as repo:
        graph = repo.index.graph
        wanted = [stage for target in targets for stage in _named(graph, target)]
        states: dict[Any, str] = {}
        stale: dict[Any, bool] = {}
        hashes: dict[str, Any] = {}
        stages = []
        for stage in plan_repro(graph, wanted or None):
            new_params = _has_new_params(stage)
            before = [(other, states[other]) for other in graph.successors(stage)]
            after_stale = any(stale[other] for other, _ in before if not _is_constant(other))
            stale[stage] = new_params or after_stale or _has_other_inputs(stage, before, hashes)
            states[stage] = _RUNS if new_params else _state(stage, before, hashes)
            sizes = {str(out): float(out.meta.size) for out in stage.outs if out.meta.size is not None}
            stages.append(Stage(stage.addressing, states[stage] == _RUNS, stale[stage], {} if new_params else sizes))
        return stages


def _named(stages: Any, target: str) -> list[Any]:
    """The stages with a name.

    Raises:
        UserError: there are none.
    """
    found = [stage for stage in stages if target in (stage.addressing, stage.addressing.partition("@")[0])]
    if not found:
        raise UserError(f"STAGE: {target!r}: is no stage of this project; `dvc stage list --all` lists them")
    return found


def _has_new_params(stage: Any) -> bool:
    """Whether a parameter of a stage is not what it was when the stage ran."""
    from dvc.dependency import ParamsDependency

    return any(dependency.status() for dependency in stage.deps if isinstance(dependency, ParamsDependency))


def _has_other_inputs(stage: Any, before: Sequence[tuple[Any, str]], hashes: dict[str, Any]) -> bool:
    """Whether the command of a stage, or a file that it reads, is not what it was when it ran.

    Files that are gone, or that DVC would restore, don't count.

    Args:
        before, hashes: see `_state`.
    """
    restored = [out.fs_path for other, state in before if state == _RESTORED for out in other.outs]
    files = [file for file in _files(stage) if file.exists and not _is_in(file.fs_path, restored)]
    return bool(stage.cmd_changed) or any(_has_changed(file, hashes) for file in files)


def _files(stage: Any) -> list[Any]:
    """The dependencies of a stage that are files or folders."""
    from dvc.dependency import ParamsDependency

    return [dependency for dependency in stage.deps if not isinstance(dependency, ParamsDependency)]


def _state(stage: Any, before: Sequence[tuple[Any, str]], hashes: dict[str, Any]) -> str:
    """Whether a stage with the parameters of its last run runs, is restored from the cache, or is in order.

    Args:
        before: the stages that it depends on, with their states.
        hashes: the hashes of the dependencies looked at so far, by path.
    """
    changing = [other for other, state in before if state == _RUNS and not _is_constant(other)]
    if stage.cmd_changed or stage.always_changed or changing:
        return _RUNS
    remade = [out.fs_path for other, state in before if state for out in other.outs]
    if any(_has_changed(file, hashes) for file in _files(stage) if not _is_in(file.fs_path, remade)):
        return _RUNS
    outputs = {status for out in stage.outs for status in out.status().values()}
    if "not in cache" in outputs or any(out.status() for out in stage.outs if not out.use_cache):
        return _RUNS
    return _RESTORED if outputs else _IN_ORDER


def _is_constant(stage: Any) -> bool:
    return stage.addressing.partition("@")[0] in ALWAYS_THE_SAME


def _is_in(path: str, others: Sequence[str]) -> bool:
    """Whether a path is one of some others, in one of them, or a folder with one of them in it."""
    return any(os.path.commonpath([path, other]) in (path, other) for other in others)


def _has_changed(dependency: Any, hashes: dict[str, Any]) -> bool:
    """Whether a file or a folder is not what it was when the stage ran.

    Many stages depend on the same code, which is hashed once.
    """
    path = dependency.fs_path
    if path not in hashes:
        hashes[path] = dependency.get_hash() if dependency.exists else None
    return bool(hashes[path] is None or hashes[path] != dependency.hash_info)
