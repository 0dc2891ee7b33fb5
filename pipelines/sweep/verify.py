"""Checking that a cell reads the inputs by which its folder is named, while `dvc repro` may change them."""

import hashlib
import json
from functools import cache
from pathlib import Path

from pipelines.sweep.plan import artefacts, cell_folder
from textbook.cells.cell import Cell
from textbook.errors import UserError
from textbook.params import Params
from tracking.lineage import dvc_hashes


def check_inputs(params: Params, cell: Cell, folder: Path) -> None:
    """Check that the inputs of a cell on disk, and its code, are those by which its folder was named.

    Args:
        params: the parameters of the task's cells.
        folder: the folder of the cell, named when the sweep began.

    Raises:
        UserError: an input or the code has changed since.
    """
    again = "changed while the sweep was running; run `make sweep` again"
    needed = artefacts(params, cell)
    hashes = dvc_hashes(needed)
    for path in needed:
        if path not in hashes or dvc_md5(Path(path)) != hashes[path]:
            raise UserError(f"{cell}: its input {path} {again}")
    if cell_folder(params, cell) != folder:  # `dvc.lock` already has the hashes of other inputs
        raise UserError(f"{cell}: its inputs in dvc.lock, or its code, {again}")


def dvc_md5(path: Path) -> str | None:
    """The MD5 that DVC gives to a file or a folder; None if there is none or it is being written."""
    try:
        if not path.is_dir():
            return _md5(path)
        files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if not file.is_dir())
        listing = [{"md5": _md5(file), "relpath": name} for name, file in files]
    except FileNotFoundError:
        return None
    return hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(file: Path) -> str:
    status = file.stat()
    return _md5_of_state(file.absolute(), status.st_size, status.st_mtime_ns, status.st_ino)


@cache  # a cell is checked after every step, and its teacher may be large
def _md5_of_state(file: Path, _size: int, _modified: int, _inode: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
