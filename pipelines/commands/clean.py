"""`make clean`: remove what DVC can bring back, and name what is kept."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.cli import run
from pipelines.paths import CACHE, CELLS, DATA, REPORTS
from textbook.errors import UserError
from textbook.files import remove

REPORT = [REPORTS / name for name in ("report.html", "table2.csv")]  # `make report` makes them from the rest
SWEEP = [CELLS, *(REPORTS / f"{name}.csv" for name in ("sweep", "figure2", "comparisons", "claims", "sizes")), CACHE]
AND_CELLS = ", the cells and tables of sweeps, and unfinished work"
SHOWN = 5  # names of files that are kept
IN_GIT = [DATA / "README.md", REPORTS / "metrics.json"]


def main(*, cells: bool = False) -> None:
    """Remove the outputs of stages that are in DVC's cache as they are, so that `dvc repro` or `dvc checkout` restores
    them, and the report.

    Args:
        cells: remove also the cells and tables of sweeps, and unfinished work, which must be computed again.
    """
    outputs = _restorable(_data_status())
    for path in [*outputs, *REPORT, *(SWEEP if cells else [])]:
        remove(path)
    _remove_empty(path.parent for path in outputs)
    print(f"removed {len(outputs)} files that `dvc checkout` restores, and the report{AND_CELLS if cells else ''}")
    if left := [path for path in SWEEP if path.exists()]:
        print(f"kept {', '.join(map(str, left))}, which must be computed again: `make clean CELLS=1` removes them")
    if others := [path for folder in (DATA, REPORTS) for path in sorted(folder.rglob("*")) if _is_of_others(path)]:
        names = ", ".join(map(str, others[:SHOWN])) + f" and {len(others) - SHOWN} more" * (len(others) > SHOWN)
        print(f"kept {names}: DVC's cache does not have these files as they are")


def _is_of_others(path: Path) -> bool:
    """Whether a path is a file, and neither in git nor of a sweep."""
    return not path.is_dir() and path not in IN_GIT and not {path, *path.parents} & set(SWEEP)


def _data_status() -> Mapping[str, Any]:
    """What DVC knows of each file of its outputs.

    Raises:
        UserError: DVC fails; its own message says why.
    """
    command = ["dvc", "data", "status", "--json", "--granular", "--unchanged"]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        raise UserError("clean: `dvc data status` failed, so nothing was removed; see the error above")
    return dict(json.loads(process.stdout))


def _restorable(status: Mapping[str, Any]) -> list[Path]:
    """The files of outputs that are on disk and in DVC's cache with the same content."""
    changed = status.get("uncommitted", {})
    unsafe = {*status.get("not_in_cache", []), *changed.get("modified", []), *changed.get("added", [])}
    locked = status.get("committed", {})  # in dvc.lock, but not yet in git
    known = [*status.get("unchanged", []), *locked.get("added", []), *locked.get("modified", [])]
    return [Path(name) for name in known if name not in unsafe and not name.endswith("/")]


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that have become empty, and the folders above them that have."""
    for folder in set(folders):
        while folder not in (DATA, REPORTS) and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


if __name__ == "__main__":
    run(main)
