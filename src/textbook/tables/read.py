"""Reading the rows of tables of any format in blocks.

Only the named columns are read. The others don't matter: they may have values of different types, be missing in some
rows, or occur twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pyarrow as pa

from textbook.errors import UserError
from textbook.params import Table
from textbook.tables.blocks import Block, place_of
from textbook.tables.delimited import read_delimited, refuse_keys
from textbook.tables.files import Part, naming_file, open_table, table_format
from textbook.tables.jsonl import read_jsonl
from textbook.tables.lines import LineError, count_lines, read_lines
from textbook.tables.parquet import read_parquet
from textbook.tables.where import Filter

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_rows_of(part: Part, columns: Sequence[str], rules: Table) -> Iterator[Block]:
    """Read the rows of a part that match `rules.where`, with the named columns, in order; one block is in memory.

    The first block may be empty. Values are as the file has them: strings in CSV, TSV and text files.

    Args:
        rules: how the file is written, and which rows to read.

    Raises:
        UserError: the format is unknown, a column is missing, a condition cannot match, or the file cannot be read
            completely.
    """
    matching = Filter(rules.where, part.path)
    with naming_file(part.path), _naming_line(part):
        for block in _read_format(part, list(dict.fromkeys([*columns, *rules.where])), rules):
            yield matching(block).select(columns)
        matching.close()


def as_text(path: str, block: Block, column: str) -> list[str | None]:
    """The values of a column as text. Numbers and booleans are written out; NaN is None.

    Raises:
        UserError: a value is not text; the message names its row.
    """
    values = block.columns[column]
    return [value if type(value) is str else _write_out(path, block, column, row) for row, value in enumerate(values)]


def _write_out(path: str, block: Block, column: str, row: int) -> str | None:
    value = block.columns[column][row]
    if value is None or value != value:
        return None
    if not isinstance(value, (str, int, float, Decimal)):
        raise UserError(f"{path}: {block.place(row)}: column {column!r} contains {_kind(value)}, not text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(value: Any) -> str:
    """The kind of a value in the words of JSON."""
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else type(value).__name__


def _read_format(part: Part, columns: Sequence[str], rules: Table) -> Iterator[Block]:
    """Read a part with the reader of its format."""
    kind, compression = table_format(part.path)
    if kind not in DELIMITERS:
        refuse_keys(part.path, rules)
    size = None if part.stop is None else part.stop - part.start
    with open_table(part.path) as file:
        stream = pa.CompressedInputStream(file, compression) if compression else file
        if kind == ".parquet":
            yield from read_parquet(part.path, stream, part.start, part.stop, columns)
            return
        if part.start:
            stream.seek(part.start)
        if kind == ".jsonl":
            yield from read_jsonl(part.path, stream, size, columns)
        elif kind == ".txt":
            yield from _read_text(part.path, stream, size, columns)
        else:
            yield from read_delimited(part.path, stream, columns, rules, DELIMITERS[kind])


def _read_text(path: str, stream: Any, size: int | None, columns: Sequence[str]) -> Iterator[Block]:
    """Read the lines of a text file as a table with the single column `text`."""
    if list(columns) != ["text"]:
        raise UserError(f"{path}: a text file has the single column 'text', not {', '.join(columns)}")
    yield Block({"text": []})
    first = 0
    for lines in read_lines(stream, size):
        yield Block({"text": lines}, first, range(first + 1, first + len(lines) + 1))
        first += len(lines)


@contextmanager
def _naming_line(part: Part) -> Iterator[None]:
    """Turn a `LineError` into a `UserError` that names the line in the file, also in a part that starts later."""
    try:
        yield
    except LineError as error:
        place = f"line {error.line}" if error.row is None else place_of(error.row, error.line)
        if part.start:
            with open_table(part.path) as file:
                place = f"line {error.line + count_lines(file, part.start)}"
        raise UserError(f"{part.path}: {place}: {error}") from None
