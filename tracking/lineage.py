"""What a run was made from: the git commit and the hashes of the DVC outputs."""

import subprocess
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

# Written by every run, so they don't make the working tree dirty.
_WRITTEN_BY_RUNS = ("dvc.lock", "reports")


def git_tags() -> dict[str, str]:
    """The commit, and whether files that decide a run differ from it (`true` or `false`)."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in _WRITTEN_BY_RUNS))
    return {"mlflow.source.git.commit": commit or "none", "git.dirty": str(bool(changes)).lower()}


def dvc_hashes(targets: Iterable[str], lock: Path = Path("dvc.lock")) -> dict[str, str]:
    """The MD5 of each of `targets` and of all that they were made from, by path, as DVC noted it in its lock file.

    What a stage made beside what was needed is in it too: a textbook's file beside the notes that stand for it.
    """
    maker = _makers(lock.absolute(), lock.stat().st_mtime_ns) if lock.is_file() else {}
    hashes: dict[str, str] = {}
    wanted = list(targets)
    while wanted:
        path = wanted.pop()
        stage = maker.get(path)
        if stage is None or path in hashes:
            continue
        hashes |= {out["path"]: out["md5"] for out in stage["outs"]}
        wanted += [dependency["path"] for dependency in stage.get("deps", [])]
    return dict(sorted(hashes.items()))


@lru_cache(maxsize=1)  # parsing it takes a second, and a sweep asks for every cell
def _makers(lock: Path, _changed: int) -> Mapping[str, Any]:
    """The stage that made each output, of the lock file as it was last changed."""
    stages = YAML(typ="safe", pure=True).load(lock)["stages"]
    return {out["path"]: stage for stage in stages.values() for out in stage.get("outs", [])}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
