"""The archive of a bundle: a tar file with gzip, whole or in parts, and a list of the parts with their hashes."""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from textbook.errors import UserError, first_line
from textbook.files import atomic_write, remove, sha256, write_json

VERSION = 1
"""Of the format of bundles and of their results."""
ARCHIVE = "bundle.tar.gz"
_PARTS = f"{ARCHIVE}.json"


def write_archive(files: Mapping[str, Path], folder: Path, part_bytes: int | None = None) -> list[Path]:
    """Write files into an archive in a folder, with the list of its parts. An earlier archive there is replaced.

    Args:
        files: by their path in the archive.
        part_bytes: the size of a part; None: the archive is one file.

    Returns:
        The parts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove(folder / _PARTS)  # first: without it, no parts are a bundle
    for earlier in folder.glob(f"{ARCHIVE}*"):
        remove(earlier)
    writer = _Writer(folder, part_bytes, sum(path.stat().st_size for path in files.values()))
    # Without times and owners, so that equal files are an equal archive.
    with gzip.GzipFile("", "wb", fileobj=writer, mtime=0) as packed, tarfile.open(mode="w", fileobj=packed) as tar:
        for name, path in files.items():
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(member, file)
    parts = writer.finish()
    hashes = {path.name: sha256(path) for path in parts}
    write_json(folder / _PARTS, {"version": VERSION, "parts": hashes})
    return parts


class _Writer(io.RawIOBase):
    """A file that is written in parts.

    Args:
        expected: about the total size, from which the number of digits in the names follows.
    """

    def __init__(self, folder: Path, part_bytes: int | None, expected: int) -> None:
        super().__init__()
        self._folder, self._most = folder, part_bytes
        self._digits = max(2, len(str(2 + expected // part_bytes))) if part_bytes else 0
        self._paths: list[Path] = []
        self._file: BinaryIO | None = None
        self._left = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            if self._file is None or (self._most and not self._left):
                self._open_next()
            assert self._file
            chunk = view[done : done + self._left] if self._most else view
            self._file.write(chunk)
            self._left -= len(chunk)
            done += len(chunk)
        return done

    def _open_next(self) -> None:
        if self._file:
            self._file.close()
        part = f".part{len(self._paths) + 1:0{self._digits}}" if self._most else ""
        self._paths.append(self._folder / f"{ARCHIVE}{part}")
        self._file, self._left = self._paths[-1].open("wb"), self._most or 0

    def finish(self) -> list[Path]:
        """Close the last part, and return all parts."""
        assert self._file
        self._file.close()
        return self._paths


def unpack(parts: Sequence[Path], folder: Path) -> None:
    """Join the parts of an archive and write its files into a new folder.

    Args:
        parts: all of them, in any order. The list of the parts, `bundle.tar.gz.json`, is beside them.
        folder: it appears when all files are written.

    Raises:
        UserError: a part is missing, damaged or of another version; the archive has something other than files below
            the folder; or the folder exists.
    """
    if folder.exists():
        raise UserError(f"{folder}: exists already; name a new folder, or run the bundle in it")
    by_name = {path.name: path for path in parts if path.name != _PARTS}
    listed = _listed_parts(parts[0].parent / _PARTS)
    if unknown := sorted(set(by_name) - set(listed)):
        raise UserError(f"{by_name[unknown[0]]}: is no part of the bundle; its parts are {', '.join(listed)}")
    if missing := [name for name in listed if name not in by_name]:
        raise UserError(f"{', '.join(missing)}: missing of the {len(listed)} parts of the bundle")
    for name, digest in listed.items():
        if not by_name[name].is_file() or sha256(by_name[name]) != digest:
            raise UserError(f"{by_name[name]}: is missing or damaged; copy it again")
    with atomic_write(folder) as temporary:
        temporary.mkdir(parents=True)
        with io.BufferedReader(_Reader([by_name[name] for name in listed]), 1 << 20) as joined:
            extract(joined, temporary, parts[0])


def extract(file: Any, folder: Path, name: Path) -> None:
    """Write the files of a tar archive, with or without gzip, into an existing folder.

    Args:
        file: an open binary file, which need not be seekable.
        name: of the archive, in error messages.

    Raises:
        UserError: it is no whole archive, or it has something other than files and folders below the folder.
    """
    try:
        with tarfile.open(mode="r|*", fileobj=file) as tar:
            tar.extractall(folder, filter=_only_files)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{name}: is no whole archive, or one that is not safe to unpack: {first_line(error)}"
        ) from None


def _only_files(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Refuse links and devices, absolute names and names that lead out of the folder."""
    if not (member.isfile() or member.isdir()):
        raise tarfile.SpecialFileError(member)
    if member.name.startswith("/"):
        raise tarfile.AbsolutePathError(member)
    return tarfile.data_filter(member, folder)


def _listed_parts(path: Path) -> dict[str, str]:
    """The hashes of the parts by name, in order."""
    if not path.is_file():
        raise UserError(f"{path}: is missing; it lists the parts of the bundle, so copy it to them")
    listed: Any = None
    with suppress(ValueError):
        listed = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(listed, dict) or not isinstance(listed.get("parts"), dict):
        raise UserError(f"{path}: is damaged; copy it again")
    if listed.get("version") != VERSION:
        raise UserError(f"{path}: is of version {listed.get('version')} of bundles; this code reads version {VERSION}")
    return {str(name): str(digest) for name, digest in listed["parts"].items()}


class _Reader(io.RawIOBase):
    """Several files, read as one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self._waiting = list(paths)
        self._file: Any = io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (count := self._file.readinto(buffer)) and self._waiting:
            self._file.close()
            self._file = self._waiting.pop(0).open("rb")
        return int(count)

    def close(self) -> None:
        self._file.close()
        super().close()


def file_hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder by its relative path, sorted; hidden files are left out.

    Raises:
        UserError: there is a link.
    """
    hashes = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        if path.is_symlink():
            raise UserError(f"{path}: is a link; put the file itself there")
        if path.is_file():
            hashes[name.as_posix()] = sha256(path)
    return hashes


def json_digest(value: Any) -> str:
    """The SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
