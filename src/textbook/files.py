"""Files that are either whole or not there, and hashes of what they hold."""

import csv
import hashlib
import inspect
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

PARTIAL = ".partial"  # folder beside the files that are being written, with a folder for each


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a path of the same name to write a file or a folder to, and move it to `path` when the block ends well.

    A crash leaves `path` as it was; an exception also removes what was written aside.
    """
    place = path.parent / PARTIAL / path.name
    remove(place)
    while not place.is_dir():
        with suppress(FileNotFoundError):  # a writer beside this one may remove the folder for both just now
            place.mkdir(parents=True)
    aside = place / path.name
    try:
        yield aside
        if path.is_dir():
            remove(path)
        aside.replace(path)
    finally:
        remove(place)
        with suppress(OSError):  # another file may be in the making beside this one
            place.parent.rmdir()


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_folder(folder: Path) -> str:
    """One SHA-256 over the names and contents of all files below `folder`."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{sha256(path)}\n".encode())
    return digest.hexdigest()


def hash_code(*modules: ModuleType) -> str:
    """One SHA-256 over the source of some modules: what they make may change when it does."""
    return hashlib.sha256("".join(map(inspect.getsource, modules)).encode()).hexdigest()


def digest(*values: Any) -> str:
    """A short name for values that JSON knows: the same for equal values, another for others."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with a closing newline."""
    with write_aside(path) as aside:
        aside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys, at least one, as CSV with a header; None is an empty field."""
    with write_aside(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by the names in its header."""
    header, *rows = read_csv(path)
    return [dict(zip(header, row, strict=True)) for row in rows]


def read_csv(path: Path) -> list[list[str]]:
    """The lines of a CSV file, its header first."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
