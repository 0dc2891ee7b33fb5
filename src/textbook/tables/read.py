"""Reading the rows of text tables of any format in batches."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from textbook.errors import UserError
from textbook.tables.files import Part, naming_file, open_table, table_format
from textbook.tables.lines import read_blocks

CSV_BLOCK = 16 << 20  # bytes; the maximum length of a row
BATCH_ROWS = 1024  # small, because a row may contain a whole book


def read_batches(
    part: Part, columns: Sequence[str], where: Mapping[str, str | int], *, texts: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Read the rows of a part that match `where`, with the given columns, in order; one batch is in memory at a time.

    Args:
        where: the value that each named column must have.
        texts: the columns that contain text. CSV has no types, and in a text column 007 must not become 7.

    Raises:
        UserError: the format is unknown, a column is missing, a condition has the wrong type, or the file cannot be
            read.
    """
    read_csv = partial(_read_csv, texts=[name for name in texts if name not in where])
    readers: dict[str, Callable[[Part, Any, Sequence[str]], Iterator[pa.RecordBatch]]] = {
        ".parquet": _read_parquet,
        ".csv": read_csv,
        ".tsv": read_csv,
        ".jsonl": _read_json,
        ".txt": _read_text,
    }
    kind, compression = table_format(part.path)
    with naming_file(part.path), open_table(part.path) as file:
        stream = pa.CompressedInputStream(file, compression) if compression else file
        for batch in readers[kind](part, stream, [*columns, *where]):
            chosen = _choose_rows(part.path, batch, columns, where)
            chosen.validate(full=True)  # Arrow does not check UTF-8 when it reads JSON and Parquet
            yield chosen


def read_table(
    path: Path, columns: Sequence[str], where: Mapping[str, str | int], *, texts: Sequence[str] = ()
) -> pa.Table:
    """Read all matching rows of one table; see `read_batches`."""
    batches = read_batches(Part(str(path)), columns, where, texts=texts)
    with naming_file(str(path)):  # blocks of JSON may differ in the type of a column
        return pa.concat_tables([pa.Table.from_batches([b]) for b in batches], promote_options="permissive")


def _choose_rows(
    path: str, batch: pa.RecordBatch, columns: Sequence[str], where: Mapping[str, str | int]
) -> pa.RecordBatch:
    """The matching rows of a batch, with the given columns."""
    for name in [*columns, *where]:
        if name not in batch.schema.names:
            raise UserError(f"{path}: has no column {name!r}; it has {', '.join(batch.schema.names)}")
    for name in columns:
        kind = batch.schema.field(name).type
        if pa.types.is_binary(kind) or pa.types.is_nested(kind):  # Arrow reads CSV that is not UTF-8 as binary
            raise UserError(f"{path}: column {name!r} contains {kind}, not text in UTF-8 or numbers")
    condition = pc.scalar(True)
    for name, value in where.items():
        kind = batch.schema.field(name).type
        if isinstance(value, str) == pa.types.is_primitive(kind) and not pa.types.is_null(kind):
            raise UserError(f"{path}: where {name} = {value!r} cannot match, because the column contains {kind}")
        condition &= pc.field(name) == value
    return (batch.filter(condition) if where else batch).select(list(columns))


# Each reader yields an empty batch first, so that the columns of a table without rows are known too.


def _read_parquet(part: Part, file: Any, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryFile() as decompressed:  # Parquet is read from its end, which needs a seekable file
        if not file.seekable():
            shutil.copyfileobj(file, decompressed)
            file = decompressed
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
            raise UserError(f"{part.path}: has a row longer than {CSV_BLOCK >> 20} MiB, or an unclosed quote") from None
        raise


def _read_json(part: Part, stream: Any, _columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    empty = True
    for block in _blocks(part, stream):
        options = pyarrow.json.ReadOptions(block_size=len(block))  # a row must not span blocks
        yield from pyarrow.json.read_json(pa.BufferReader(block), options).to_batches()
        empty = False
    if empty:
        raise UserError(f"{part.path}: is empty")


def _read_text(part: Part, stream: Any, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read the lines of a text file as a table with the single column `text`."""
    if list(columns) != ["text"]:
        raise UserError(f"{part.path}: a text file has the single column 'text', not {', '.join(columns)}")
    yield pa.record_batch({"text": pa.array([], pa.string())})
    for block in _blocks(part, stream):
        if b"\0" in block:
            raise UserError(f"{part.path}: has NUL bytes; it must be text in UTF-8")
        lines = block.decode().removesuffix("\n").replace("\r\n", "\n").removesuffix("\r").split("\n")
        yield pa.record_batch({"text": pa.array(lines, pa.string())})


def _blocks(part: Part, stream: Any) -> Iterator[bytes]:
    """Read the bytes of a part in blocks of whole lines, without a byte order mark."""
    if part.start:
        stream.seek(part.start)
    for number, block in enumerate(read_blocks(stream, None if part.stop is None else part.stop - part.start)):
        if number == 0 and part.start == 0:
            block = block.removeprefix(b"\xef\xbb\xbf")
        if block:
            yield block
