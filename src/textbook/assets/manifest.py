"""The manifest of an asset: the location of its files and their hashes."""

from pathlib import Path
from typing import Any

from textbook.errors import UserError
from textbook.files import read_json, sha256, write_json

FILES = "files"
MANIFEST = "asset.json"
REMOTE = "hf://"
"""Prefix of locations on the Hugging Face hub."""


def write_manifest(folder: Path, location: Path) -> None:
    """Write the manifest of the asset in `folder`.

    Args:
        location: the file or folder of the asset, absolute or relative to `folder`.
    """
    root = folder / location
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    hashes = {str(file.relative_to(root.parent)): sha256(file) for file in files}
    write_json(folder / MANIFEST, {"location": str(location), "sha256": hashes})


def locate(folder: Path) -> Path:
    """The path of the file or folder of a fetched asset.

    Raises:
        UserError: the asset was not fetched, its files no longer exist, or it is streamed.
    """
    manifest = _read_manifest(folder)
    if manifest["location"].startswith(REMOTE):
        raise UserError(f"{folder}: is streamed from {manifest['location']}; only a source of the corpus can be")
    location: Path = folder / manifest["location"]
    if not location.exists():
        raise UserError(f"{location}: no longer exists, but {folder / MANIFEST} refers to it")
    return location


def list_files(folder: Path) -> tuple[str, dict[str, str]]:
    """The location of a fetched or streamed asset, and the hash of each of its files by location, sorted.

    Raises:
        UserError: the asset was not fetched, or its files no longer exist.
    """
    manifest = _read_manifest(folder)
    root = manifest["location"]
    if not root.startswith(REMOTE):
        root = str(locate(folder))
    parent = root.rpartition("/")[0]
    return root, {f"{parent}/{name}": digest for name, digest in sorted(manifest["sha256"].items())}


def _read_manifest(folder: Path) -> Any:
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder}: no asset was fetched here; `dvc repro` fetches it")
    return read_json(folder / MANIFEST)
