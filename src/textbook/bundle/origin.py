"""Where a cell was made that was not made here: `origin.json` in its folder, with the hash of each file beside it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textbook.bundle.archive import VERSION, file_hashes, json_digest
from textbook.cells.cell import RESULT, Cell
from textbook.errors import UserError
from textbook.files import read_json, write_json

if TYPE_CHECKING:
    from textbook.cells.job import CellJob

ORIGIN = "origin.json"
_DIGEST = "digest"
_VERSIONS = ("numpy", "torch", "transformers")


def write_origin(job: CellJob, bundle: str, engine: str) -> None:
    """Write where a finished cell was made into its folder.

    Args:
        bundle: the key of the bundle.
        engine: of the CPU, see `cpu_engine`; `cuda` on a GPU.
    """
    import torch  # which readers of an origin don't need

    origin = {
        "version": VERSION,
        "bundle": bundle,
        "cell": asdict(job.cell),
        "key": job.folder.name,
        "device": device_name(),
        "engine": engine,
        "threads": torch.get_num_threads(),
        "seconds": read_json(job.folder / RESULT)["seconds"],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
        "files": {name: digest for name, digest in file_hashes(job.folder).items() if name != ORIGIN},
    }
    write_json(job.folder / ORIGIN, {**origin, _DIGEST: json_digest(origin)})


def device_name() -> str:
    """The name of the GPU, or the kind of the CPU."""
    import torch

    from textbook.training.engine.device import best_device

    device = best_device().kind
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU {platform.machine()}"


def read_origin(folder: Path) -> tuple[Cell, str]:
    """The place and the key of the cell in a folder, whose files are as they were when it was finished.

    Raises:
        UserError: it is no cell of a bundle, is of another version, or a file is missing, new or has changed.
    """
    path = folder / ORIGIN
    origin = read_json(path)
    if not isinstance(origin, dict) or origin.get("version") != VERSION:
        number = origin.get("version") if isinstance(origin, dict) else None
        raise UserError(f"{path}: is of version {number} of bundles; this code reads version {VERSION}")
    said = {name: value for name, value in origin.items() if name != _DIGEST}
    if origin.get(_DIGEST) != json_digest(said):
        raise UserError(f"{path}: has changed since the cell was made; copy the results again")
    hashes = file_hashes(folder)
    hashes.pop(ORIGIN)
    for name in sorted({*hashes, *said["files"]}):
        if hashes.get(name) != said["files"].get(name):
            raise UserError(f"{folder / name}: is missing, new or changed since the cell was made; copy it again")
    return Cell(**said["cell"]), str(said["key"])


def origin_tags(folder: Path) -> Mapping[str, str]:
    """Tags that say where the cell in a folder was made; none if it was made here."""
    if not (folder / ORIGIN).is_file():
        return {}
    origin: dict[str, Any] = read_json(folder / ORIGIN)
    tags = {f"origin.{name}": str(origin[name]) for name in ("bundle", "device", "engine", "threads", "seconds")}
    return {**tags, **{f"origin.{name}": number for name, number in origin["versions"].items()}}
