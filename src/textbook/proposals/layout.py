"""Finding out how a table is written: the names of its columns, its delimiter and its quotes."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from textbook.errors import UserError
from textbook.params import Table
from textbook.proposals.columns import ColumnProfile
from textbook.tables.files import Part, naming_file, open_table, table_format
from textbook.tables.lines import LineError, read_lines
from textbook.tables.read import read_rows_of

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}
QUOTINGS: list[dict[str, str]] = [{}, {"escape": "\\"}, {"quote": "none"}]
OBJECTS = 1000  # of a JSONL file, whose keys are its columns


@dataclass(frozen=True)
class Layout:
    """How a table is written, and what is in its columns."""

    keys: dict[str, str]
    """The keys `delimiter`, `quote` and `escape` of a task, if the table is not written like others of its format."""
    columns: dict[str, ColumnProfile]
    """The columns that can be read, by name."""
    unreadable: list[str]
    """Why other columns cannot be read."""


def find_layout(tables: list[Path], wanted: list[str]) -> Layout:
    """Find out how tables are written. All of them are written like the first.

    A CSV file is read with one delimiter after the other, and with each of the customary ways to write quotes. The
    first with which all rows can be read is taken.

    Args:
        wanted: the columns to read, which must exist; none: all.

    Raises:
        UserError: a table cannot be read completely in any of these ways.
    """
    problems: list[UserError] = []
    for keys in _possible_keys(tables[0]):
        try:
            names, unreadable = _columns_of(tables[0], keys, wanted)
            columns = _look_at(tables, keys, names)
        except UserError as error:
            problems.append(error)
            continue
        if keys.get("quote") != "none" or not any(column.quoted for column in columns.values()):
            return Layout(keys, columns, unreadable)
    raise problems[0]


def _look_at(tables: list[Path], keys: Mapping[str, str], names: list[str]) -> dict[str, ColumnProfile]:
    """Read all tables, and count what is in their columns."""
    columns = {name: ColumnProfile(name) for name in names}
    for table in tables:
        for block in read_rows_of(Part(str(table)), names, _rules(keys)):
            for name, column in columns.items():
                for value in block.columns[name]:
                    column.add(value)
    return columns


def _rules(keys: Mapping[str, Any]) -> Table:
    return Table(asset="new", **keys)


def _possible_keys(path: Path) -> list[dict[str, str]]:
    """The ways in which a table may be written, the most likely first.

    Raises:
        UserError: the table has only one column, whatever the delimiter.
    """
    kind, _ = table_format(path)
    if kind not in DELIMITERS:
        return [{}]
    line = _first_line(path)
    usual = DELIMITERS[kind][0]
    if line.startswith("sep=") and len(line) == 5:  # written by Excel
        delimiters = [line[4]]
    else:
        delimiters = [delimiter for delimiter in DELIMITERS[kind] if len(_split(line, delimiter)) > 1]
    if not delimiters:
        raise UserError(f"{path}: has the single column {line!r:.80}; a task needs a text and a label")
    return [
        ({} if delimiter == usual else {"delimiter": delimiter}) | quoting
        for delimiter in delimiters
        for quoting in (QUOTINGS if delimiter != "\t" else [{}])
    ]


def _columns_of(path: Path, keys: Mapping[str, str], wanted: list[str]) -> tuple[list[str], list[str]]:
    """The names of the columns that can be read, and why others cannot.

    Raises:
        UserError: a wanted column does not exist, or no column can be read.
    """
    kind, _ = table_format(path)
    if kind in DELIMITERS:
        names = _header(path, keys)
    else:
        names = _parquet_names(path) if kind == ".parquet" else _jsonl_names(path)
    readable: list[str] = []
    unreadable: list[str] = []
    for name in dict.fromkeys(wanted or filter(None, names)):
        try:
            if kind != ".jsonl":  # which has no header
                next(read_rows_of(Part(str(path)), [name], _rules(keys)))
            readable.append(name)
        except UserError as error:
            if wanted:
                raise
            unreadable.append(str(error).removeprefix(f"{path}: "))
    if not readable:
        raise UserError(f"{path}: {unreadable[0] if unreadable else 'has no columns with names'}")
    return readable, unreadable


def _first_line(path: Path) -> str:
    """The first line of a delimited file, without its end."""
    with _lines(path) as lines:
        line = next(filter(None, lines), "")
    if not line:
        raise UserError(f"{path}: is empty")
    return line


def _header(path: Path, keys: Mapping[str, str]) -> list[str]:
    """The names of the columns of a delimited file."""
    kind, _ = table_format(path)
    with _lines(path) as lines:
        first, second = [*islice(filter(None, lines), 2), "", ""][:2]
    return _split(second if first.startswith("sep=") else first, keys.get("delimiter", DELIMITERS[kind][0]))


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # reported when all rows are read
        return line.split(delimiter)


def _jsonl_names(path: Path) -> list[str]:
    names: dict[str, None] = {}
    with _lines(path) as lines:
        for line in islice(lines, OBJECTS):
            with suppress(ValueError, RecursionError):  # reported when all rows are read
                row = json.loads(line)
                names.update(dict.fromkeys(row if isinstance(row, dict) else ()))
    return list(names) or ["text"]  # reading it says what is wrong


def _parquet_names(path: Path) -> list[str]:
    _, compression = table_format(path)
    with naming_file(str(path)), open_table(str(path)) as file:
        content = pa.BufferReader(pa.CompressedInputStream(file, compression).read()) if compression else file
        return [str(name) for name in pq.read_schema(content).names]


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a text file.

    Raises:
        UserError: a line is no text.
    """
    _, compression = table_format(path)
    with naming_file(str(path)), open_table(str(path)) as file:
        stream = pa.CompressedInputStream(file, compression) if compression else file
        try:
            yield chain.from_iterable(read_lines(stream))
        except LineError as error:
            raise UserError(f"{path}: line {error.line}: {error}") from None
