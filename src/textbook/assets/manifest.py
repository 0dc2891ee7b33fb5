"""The manifest of an asset: the location of its files and their hashes."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from textbook.assets.walk import check_content, check_link, walk_files
from textbook.errors import UserError
from textbook.files import is_hidden, read_json, sha256, write_json

FILES = "files"
MANIFEST = "asset.json"
STREAMED = "dataset"
"""Key of the manifest of a data set that is streamed; its value says what to read."""


def write_manifest(folder: Path, root: Path, location: str, **more: Any) -> None:
    """Write the manifest of an asset into `folder`.

    Args:
        root: the file or folder of the asset.
        location: where it is, as the manifest says it; see `locate`.
        more: further keys of the manifest.

    Raises:
        UserError: the asset has no files, or one of them is a Git LFS pointer.
    """
    hashes = hash_files(root)
    write_json(folder / MANIFEST, {"location": location, "sha256": hashes, **more})


def hash_files(root: Path) -> dict[str, str]:
    """The hash of each file of an asset by its path relative to the parent of `root`; hidden files are left out.

    Raises:
        UserError: there are no files, or one of them is a Git LFS pointer.
    """
    check_link(root)
    hashes = {}
    for file in walk_files(root):
        check_content(file)
        hashes[str(Path(root.name) / file.relative_to(root))] = sha256(file)
    if not hashes:
        raise UserError(f"{root}: has no files")
    return hashes


def portable(path: str, folder: Path) -> str:
    """A path of the user's as a manifest in `folder` says it, so that a copy of the project reads its own files.

    A relative path is one from the project, which is the working folder. It, and a path into the project, becomes
    relative to `folder`; another one stays absolute. Links keep their names.
    """
    if os.path.isabs(path) and not Path(os.path.normpath(path)).is_relative_to(Path.cwd()):
        return os.path.normpath(path)
    return os.path.relpath(path, folder)


def manifest_path(location: str, folder: Path) -> Path:
    """The absolute path of what the manifest in `folder` locates; the inverse of `portable`."""
    if folder.is_symlink():  # to the folder of an asset elsewhere
        folder = folder.resolve()
    return Path(os.path.abspath(folder / location))  # not resolved: a link keeps its name


def locate(folder: Path) -> Path:
    """The path of the file or folder of a fetched asset, whose content is as it was when the asset was fetched.

    Raises:
        UserError: the asset was not fetched, is streamed, or its files are missing or changed.
    """
    root, hashes = list_files(folder)
    check_unchanged(hashes, folder)
    if root.is_dir():
        for file in walk_files(root):
            if str(file) not in hashes:
                raise UserError(f"{file}: is new since the asset {folder.name} was fetched; run `dvc repro`")
    return root


def list_files(folder: Path) -> tuple[Path, dict[str, str]]:
    """The location of a fetched asset, and the hash of each of its files by location, sorted.

    The content of the files is not checked; see `check_unchanged`.

    Raises:
        UserError: the asset was not fetched, is streamed, or no longer exists.
    """
    manifest = read_manifest(folder)
    if STREAMED in manifest:
        raise UserError(f"{folder}: is a data set that is streamed; only a source of the corpus can be")
    root = manifest_path(manifest["location"], folder)
    if not root.exists():
        raise UserError(_missing(root, folder))
    hashes = sorted(manifest["sha256"].items())
    return root, {str(root.joinpath(*Path(name).parts[1:])): digest for name, digest in hashes if _is_data(name)}


def check_unchanged(hashes: Mapping[str, str], folder: Path) -> None:
    """Check that files are as they were when the asset in `folder` was fetched. A process hashes each only once.

    Args:
        hashes: the hash of each file by its location.

    Raises:
        UserError: a file is missing or has changed.
    """
    for name, digest in hashes.items():
        path = Path(name)
        if not path.exists():
            raise UserError(_missing(path, folder))
        status = path.stat()
        if _hash_once(path.resolve(), status.st_size, status.st_mtime_ns) != digest:
            raise UserError(f"{path}: has changed since the asset {folder.name} was fetched; run `dvc repro`")


def read_manifest(folder: Path) -> Any:
    """The manifest of a fetched asset.

    Raises:
        UserError: the asset was not fetched.
    """
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder}: no asset was fetched here; `dvc repro` fetches it")
    return read_json(folder / MANIFEST)


def _missing(path: Path, folder: Path) -> str:
    """What is wrong, and what to do, if a file of an asset is missing."""
    check_link(path)
    if path.is_relative_to(folder.absolute()):
        return f"{path}: is missing; `dvc repro` fetches the asset {folder.name} again"
    return (
        f"{path}: does not exist, but the asset {folder.name} refers to it; put it there, or set its path in"
        " params.yaml to where it is on this machine, and run `dvc repro`"
    )


@cache
def _hash_once(path: Path, _size: int, _modified: int) -> str:
    return sha256(path)


def _is_data(name: str) -> bool:
    return not is_hidden(Path(*Path(name).parts[1:]))
