"""Rows of text tables, whatever their format, a batch at a time; a large table in parts that are read side by side."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from textbook.errors import UserError
from textbook.lines import cut_lines, read_blocks

FORMATS = (".parquet", ".csv", ".tsv", ".jsonl", ".txt")
PACKED = {".gz": "gzip", ".zst": "zstd"}
KNOWN = f"{', '.join(FORMATS)}, and these packed as {' or '.join(PACKED)}"
REMOTE = "hf://"  # how the address of a file on the Hugging Face hub begins
PART_BYTES = 64 << 20
CSV_BLOCK = 16 << 20  # bytes; no row may be longer
BATCH_ROWS = 1024  # because a row may be a whole book


@dataclass(frozen=True)
class Part:
    """A stretch of a table: row groups of Parquet, bytes of lines that are not packed, otherwise all of it."""

    path: str
    start: int = 0
    stop: int | None = None
    """None: to the end."""


def table_format(path: str | Path) -> tuple[str, str | None]:
    """The format of a table by its name, and how it is packed, if it is.

    Raises:
        UserError: neither is known.
    """
    suffixes = Path(path).suffixes
    packing = PACKED.get(suffixes[-1]) if suffixes else None
    kind = "".join(suffixes[-2:-1] if packing else suffixes[-1:])
    if kind not in FORMATS:
        raise UserError(f"{path}: unknown format {kind!r}; known are {KNOWN}")
    return kind, packing


def find_tables(path: Path, pattern: str = "*") -> list[Path]:
    """The tables at `path`: itself, or the files below it of a known format that match a glob, sorted.

    Raises:
        UserError: there is none.
    """
    if path.is_file():
        return [path]
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return [Path(name) for name in choose_tables(map(str, files), pattern, str(path))]


def choose_tables(files: Iterable[str], pattern: str, root: str) -> list[str]:
    """Of files, those of a known format whose path below `root` matches a glob in which `*` also stands for `/`.

    Raises:
        UserError: there is none.
    """
    tables = [name for name in files if name.removesuffix(".gz").removesuffix(".zst").endswith(FORMATS)]
    below = [name.removeprefix(root).lstrip("/") or name for name in tables]  # where `root` itself is the one file
    chosen = [name for name, path in zip(tables, below, strict=True) if fnmatchcase(path, pattern)]
    if not tables:
        raise UserError(f"{root}: holds no table; known formats are {KNOWN}")
    if not chosen:
        raise UserError(f"{root}: none of its {len(tables)} tables matches {pattern!r}; the first is {below[0]}")
    return chosen


def table_size(path: str) -> int:
    """Bytes of a table as it is stored.

    Raises:
        UserError: the file cannot be read.
    """
    with _reading(path), _open(path) as file:
        return int(file.size())


def cut_table(path: str, part_bytes: int = PART_BYTES) -> list[Part]:
    """A table as parts of about `part_bytes` bytes, as far as its format allows.

    Raises:
        UserError: the file cannot be read.
    """
    kind, packing = table_format(path)
    if packing or kind in (".csv", ".tsv"):  # a packed stream has one beginning; a quoted line end is none
        return [Part(path)]
    with _reading(path), _open(path) as file:
        if kind != ".parquet":
            return [Part(path, start, stop) for start, stop in cut_lines(file, file.size(), part_bytes)]
        groups = pq.ParquetFile(file).metadata
        starts, held = [0], 0
        for group in range(groups.num_row_groups):
            size = groups.row_group(group).total_byte_size
            if held and held + size > part_bytes:
                starts.append(group)
                held = 0
            held += size
        return [Part(path, *ends) for ends in zip(starts, [*starts[1:], groups.num_row_groups], strict=True)]


def read_batches(
    part: Part, columns: Sequence[str], where: Mapping[str, str | int], *, texts: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The rows of a part that match `where`, with the given columns, in order; memory is bounded by a batch.

    Args:
        texts: which of the columns are text. CSV doesn't say, and 007 is not 7 there.

    Raises:
        UserError: an unknown format, a column that is not there, or a file that cannot be read as what it says it is.
    """
    read_csv = partial(_read_csv, texts=[name for name in texts if name not in where])
    read: dict[str, Callable[[Part, Any, Sequence[str]], Iterator[pa.RecordBatch]]] = {
        ".parquet": _read_parquet,
        ".csv": read_csv,
        ".tsv": read_csv,
        ".jsonl": _read_json,
        ".txt": _read_text,
    }
    kind, packing = table_format(part.path)
    with _reading(part.path), _open(part.path) as file:
        stream = pa.CompressedInputStream(file, packing) if packing else file
        for batch in read[kind](part, stream, [*columns, *where]):
            chosen = _choose_rows(part.path, batch, columns, where)
            chosen.validate(full=True)  # Arrow reads JSON and Parquet without a look at their UTF-8
            yield chosen


def read_table(
    path: Path, columns: Sequence[str], where: Mapping[str, str | int], *, texts: Sequence[str] = ()
) -> pa.Table:
    """All matching rows of one table; see `read_batches`."""
    batches = read_batches(Part(str(path)), columns, where, texts=texts)
    with _reading(str(path)):  # the type of a column may differ between blocks of JSON
        return pa.concat_tables([pa.Table.from_batches([b]) for b in batches], promote_options="permissive")


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Tells the user which file cannot be read, on one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not isinstance(error, (pa.ArrowException, ValueError, OSError)) and not path.startswith(REMOTE):
            raise  # the hub's client lets those of its HTTP library through
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from None


def _open(path: str) -> Any:
    """The file as Arrow reads it, wherever it is."""
    if path.startswith(REMOTE):
        from huggingface_hub import HfFileSystem

        return pa.PythonFile(HfFileSystem().open(path, block_size=8 << 20), mode="r")
    return pa.OSFile(path)


def _choose_rows(
    path: str, batch: pa.RecordBatch, columns: Sequence[str], where: Mapping[str, str | int]
) -> pa.RecordBatch:
    """The matching rows of a batch, with the given columns."""
    for name in [*columns, *where]:
        if name not in batch.schema.names:
            raise UserError(f"{path}: has no column {name!r}; it has {', '.join(batch.schema.names)}")
    for name in columns:
        kind = batch.schema.field(name).type
        if pa.types.is_binary(kind) or pa.types.is_nested(kind):  # binary is what CSV holds that is not UTF-8
            raise UserError(f"{path}: column {name!r} holds {kind}, not text in UTF-8 or numbers")
    condition = pc.scalar(True)
    for name, value in where.items():
        kind = batch.schema.field(name).type
        if isinstance(value, str) == pa.types.is_primitive(kind) and not pa.types.is_null(kind):
            raise UserError(f"{path}: where {name} = {value!r} cannot match, for the column holds {kind}")
        condition &= pc.field(name) == value
    return (batch.filter(condition) if where else batch).select(list(columns))


# Each reader gives an empty batch first, so that a table without rows shows its columns too.


def _read_parquet(part: Part, file: Any, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryFile() as unpacked:  # Parquet is read from its end, so a packed one is unpacked first
        if not file.seekable():
            shutil.copyfileobj(file, unpacked)
            file = unpacked
        table = pq.ParquetFile(file, pre_buffer=False)
        yield pa.RecordBatch.from_pylist([], table.schema_arrow)
        groups = range(part.start, table.num_row_groups if part.stop is None else part.stop)
        yield from table.iter_batches(BATCH_ROWS, row_groups=list(groups), columns=list(dict.fromkeys(columns)))


def _read_csv(part: Part, stream: Any, _columns: Sequence[str], texts: Sequence[str]) -> Iterator[pa.RecordBatch]:
    delimiter = "\t" if table_format(part.path)[0] == ".tsv" else ","
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    types = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()))
    try:
        table = pyarrow.csv.open_csv(stream, pyarrow.csv.ReadOptions(block_size=CSV_BLOCK), parse, types)
        yield pa.RecordBatch.from_pylist([], table.schema)
        for batch in table:
            yield from (batch.slice(row, BATCH_ROWS) for row in range(0, batch.num_rows, BATCH_ROWS))
    except pa.ArrowInvalid as error:
        if "straddl" in str(error):
            raise UserError(f"{part.path}: has a row longer than {CSV_BLOCK >> 20} MiB, or an open quote") from None
        raise


def _read_json(part: Part, stream: Any, _columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    empty = True
    for block in _blocks(part, stream):
        options = pyarrow.json.ReadOptions(block_size=len(block))  # a row has to lie within a block
        yield from pyarrow.json.read_json(pa.BufferReader(block), options).to_batches()
        empty = False
    if empty:
        raise UserError(f"{part.path}: is empty")


def _read_text(part: Part, stream: Any, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The lines of a text file as a table with the one column `text`."""
    if list(columns) != ["text"]:
        raise UserError(f"{part.path}: a text file has the one column 'text', not {', '.join(columns)}")
    yield pa.record_batch({"text": pa.array([], pa.string())})
    for block in _blocks(part, stream):
        if b"\0" in block:
            raise UserError(f"{part.path}: is a binary file, or not in UTF-8: it has NUL bytes")
        lines = block.decode().removesuffix("\n").replace("\r\n", "\n").removesuffix("\r").split("\n")
        yield pa.record_batch({"text": pa.array(lines, pa.string())})


def _blocks(part: Part, stream: Any) -> Iterator[bytes]:
    """The bytes of a part in blocks of whole lines, without a byte order mark."""
    if part.start:
        stream.seek(part.start)
    for number, block in enumerate(read_blocks(stream, None if part.stop is None else part.stop - part.start)):
        if number == 0 and part.start == 0:
            block = block.removeprefix(b"\xef\xbb\xbf")
        if block:
            yield block
