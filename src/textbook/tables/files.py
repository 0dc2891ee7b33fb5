"""Table files: finding them, recognising their format, and cutting large ones into parts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from textbook.assets.walk import walk_files
from textbook.errors import UserError, first_line
from textbook.files import is_hidden
from textbook.tables.lines import cut_lines
from textbook.tables.remote import is_url, naming_url, open_url

FORMATS = (".parquet", ".csv", ".tsv", ".jsonl", ".txt")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
KNOWN = f"{', '.join(FORMATS)}, optionally compressed ({', '.join(COMPRESSIONS)})"
PART_BYTES = 64 << 20


@dataclass(frozen=True)
class Part:
    """A part of a table: row groups of Parquet, bytes of an uncompressed text or JSONL file, otherwise all of it."""

    path: str
    """Path or URL."""
    start: int = 0
    stop: int | None = None
    """End of the part, exclusive; None: the end of the table."""


def table_format(path: str | Path) -> tuple[str, str | None]:
    """The format and the compression of a table, by its file name; the compression is None for plain files.

    Raises:
        UserError: the format is unknown.
    """
    suffixes = Path(path).suffixes
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    kind = "".join(suffixes[-2:-1] if compression else suffixes[-1:])
    if kind not in FORMATS:
        raise UserError(f"{path}: unknown format {kind!r}; supported are {KNOWN}")
    return kind, compression


def find_tables(path: Path, pattern: str = "*") -> list[Path]:
    """The tables at `path`, sorted: the file itself, or the files in the folder with a known format that match a glob.

    Hidden files are left out.

    Raises:
        UserError: there are none.
    """
    if path.is_file():
        return [path]
    return [Path(name) for name in choose_tables(map(str, walk_files(path)), pattern, str(path))]


def choose_tables(files: Iterable[str], pattern: str, root: str) -> list[str]:
    """The files with a known format whose path relative to `root` matches a glob, in which `*` also matches `/`.

    Raises:
        UserError: there are none.
    """
    visible = [name for name in files if not is_hidden(Path(name.removeprefix(root).lstrip("/")))]
    tables = [name for name in visible if name.removesuffix(".gz").removesuffix(".zst").endswith(FORMATS)]
    relative = [name.removeprefix(root).lstrip("/") or name for name in tables]  # `root` may be the only file
    chosen = [name for name, path in zip(tables, relative, strict=True) if fnmatchcase(path, pattern)]
    if not tables:
        raise UserError(f"{root}: has no tables; supported formats are {KNOWN}")
    if not chosen:
        raise UserError(f"{root}: none of its {len(tables)} tables matches {pattern!r}; the first is {relative[0]}")
    return chosen


def table_size(path: str) -> int:
    """Size of a table file in bytes.

    Raises:
        UserError: the file cannot be read.
    """
    with naming_file(path), open_table(path) as file:
        return int(file.size())


def cut_table(path: str, part_bytes: int = PART_BYTES) -> list[Part]:
    """Cut a table into parts of about `part_bytes` bytes, as far as its format allows.

    Raises:
        UserError: the file cannot be read.
    """
    kind, compression = table_format(path)
    # A compressed stream can only be read from its beginning, and in CSV a line end inside quotes does not end a row.
    if compression or kind in (".csv", ".tsv"):
        return [Part(path)]
    with naming_file(path), open_table(path) as file:
        if kind != ".parquet":
            return [Part(path, start, stop) for start, stop in cut_lines(file, file.size(), part_bytes)]
        metadata = pq.ParquetFile(file).metadata
        starts, total = [0], 0
        for group in range(metadata.num_row_groups):
            size = metadata.row_group(group).total_byte_size
            if total and total + size > part_bytes:
                starts.append(group)
                total = 0
            total += size
        return [Part(path, *ends) for ends in zip(starts, [*starts[1:], metadata.num_row_groups], strict=True)]


@contextmanager
def naming_file(path: str) -> Iterator[None]:
    """Turn errors of reading a file into a `UserError` that names it, on one line."""
    with naming_url(path) if is_url(path) else nullcontext():
        try:
            yield
        except UserError:
            raise
        except (pa.ArrowException, ValueError, OSError) as error:
            raise UserError(f"{path}: {first_line(error)}") from None


def open_table(path: str) -> pa.NativeFile:
    """Open a file, here or at a URL, for Arrow."""
    return pa.PythonFile(open_url(path), "r") if is_url(path) else pa.OSFile(path)
