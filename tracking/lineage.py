"""The lineage of a run: the git commit, and the hashes of the DVC outputs that it was made from."""

import subprocess
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

# Every run writes these paths, so changes in them don't count as uncommitted changes.
_WRITTEN_BY_RUNS = ("dvc.lock", "reports")
UNKNOWN = "unknown"


def git_tags() -> dict[str, str]:
    """Tags with the commit, and with whether the working tree has uncommitted changes (`true` or `false`).

    Both are `unknown` where git cannot tell: it is not installed, this is no repository, or it belongs to another user.
    """
    commit = _git("rev-parse", "--verify", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in _WRITTEN_BY_RUNS))
    dirty = UNKNOWN if changes is None else str(bool(changes)).lower()
    return {"mlflow.source.git.commit": commit or UNKNOWN, "git.dirty": dirty}


def dvc_hashes(targets: Iterable[str], lock: Path = Path("dvc.lock")) -> dict[str, str]:
    """The MD5 hashes of DVC outputs and of everything they were made from, by path.

    All outputs of a stage are included, also those that no target needs.

    Args:
        targets: paths of DVC outputs.
        lock: DVC's lock file, which has the hashes.
    """
    stage_of = _stages_by_output(lock.absolute(), lock.stat().st_mtime_ns) if lock.is_file() else {}
    hashes: dict[str, str] = {}
    pending = list(targets)
    while pending:
        path = pending.pop()
        stage = stage_of.get(path)
        if stage is None or path in hashes:
            continue
        hashes |= {out["path"]: out["md5"] for out in stage["outs"]}
        pending += [dependency["path"] for dependency in stage.get("deps", [])]
    return dict(sorted(hashes.items()))


@lru_cache(maxsize=1)  # a sweep calls this for every cell
def _stages_by_output(lock: Path, _modified: int) -> Mapping[str, Any]:
    """The stage of each output. The time of modification is an argument so that a changed file is parsed again."""
    stages = YAML(typ="safe").load(lock)["stages"]
    return {out["path"]: stage for stage in stages.values() for out in stage.get("outs", [])}


def _git(*arguments: str) -> str | None:
    """The output of a git command; None if it fails."""
    try:
        process = subprocess.run(["git", *arguments], capture_output=True, text=True, errors="replace")
    except OSError:  # git is not installed
        return None
    return process.stdout.strip() if process.returncode == 0 else None
