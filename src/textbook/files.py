"""Files that are whole or not there at all, and hashes of files and values."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from textbook.disk import exchange, flush, flush_names
from textbook.errors import UserError

PARTIAL = ".partial"
"""The folder, beside the target, in which unfinished files are written."""
NO_DATA = ("__MACOSX", "Thumbs.db", "desktop.ini")
"""Files and folders that operating systems leave among data, besides those with a leading dot."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name, for a file or a folder, which is renamed to `path` on success.

    Killed at any point, even by a power cut, it leaves the old content whole or the new one. After an exception `path`
    is as it was, and the temporary path is removed.
    """
    folder = path.parent / PARTIAL / path.name
    temporary, aside = folder / path.name, folder / f"{path.name}.old"
    if os.path.lexists(aside) and not os.path.lexists(path):
        aside.rename(path)  # a process was killed in `_replace`
    remove(folder)
    while not folder.is_dir():
        with suppress(FileNotFoundError):  # another writer may remove the shared parent at this moment
            folder.mkdir(parents=True)
    try:
        yield temporary
        flush(temporary)
        _replace(path, temporary, aside)
        flush_names(path.parent)
    finally:
        remove(folder)
        with suppress(OSError):  # not empty: another file is being written
            folder.parent.rmdir()


def _replace(path: Path, temporary: Path, aside: Path) -> None:
    """Rename `temporary` to `path`. A folder in its place is kept until the new content has its name.

    Args:
        aside: the name of the old folder until then, where the system cannot exchange two folders.
    """
    if not (os.path.lexists(path) and (path.is_dir() or temporary.is_dir())):
        temporary.replace(path)
    elif not exchange(temporary, path):
        path.rename(aside)
        try:
            temporary.rename(path)
        except BaseException:
            aside.rename(path)
            raise


def remove(path: Path) -> None:
    """Remove a file or a folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_hidden(relative: Path) -> bool:
    """Whether a file is hidden, or is in a hidden folder: no data, such as `.ipynb_checkpoints/a.csv` or `._a.csv`.

    Args:
        relative: its path below the folder that the user named. The folder itself may be hidden.
    """
    return any((part.startswith(".") and part != "..") or part in NO_DATA for part in relative.parts)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder to a new one. It stops at the first error and raises that; `shutil.copytree` collects a list.

    Raises:
        OSError: a file cannot be read or written.
    """
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        (copy_folder if path.is_dir() else shutil.copy2)(path, target / path.name)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_folder(folder: Path) -> str:
    """One SHA-256 over the names and contents of all files in `folder` and its subfolders."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{sha256(path)}\n".encode())
    return digest.hexdigest()


def digest(*values: Any) -> str:
    """A short name for JSON values: equal values have equal names."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no UTF-8, or no JSON
        raise UserError(f"{path}: is not valid JSON: {error}") from None


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that all have the same keys as CSV with a header. None becomes an empty field.

    Args:
        rows: at least one.
    """
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file as mappings from the names in its header."""
    header, *rows = read_csv(path)
    return [dict(zip(header, row, strict=True)) for row in rows]


def read_csv(path: Path) -> list[list[str]]:
    """Read the lines of a CSV file, the header first."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
