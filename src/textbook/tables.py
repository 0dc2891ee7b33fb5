"""Rows of text tables, whatever their format, a batch at a time."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset

from textbook.errors import UserError

FORMATS = (".parquet", ".csv", ".tsv", ".jsonl", ".txt")


def find_tables(path: Path) -> list[Path]:
    """The tables at `path`: itself, or the files of a known format below it, sorted.

    Raises:
        UserError: there is none.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in FORMATS)
    if not files:
        raise UserError(f"{path}: holds no table; known formats are {', '.join(FORMATS)}")
    return files


def read_batches(path: Path, columns: Sequence[str], where: Mapping[str, str | int]) -> Iterator[pa.RecordBatch]:
    """The rows of one table that match `where`, with the given columns, in order; memory is bounded by a batch.

    Raises:
        UserError: an unknown format, a column that is not there, or a file that cannot be read as what it says it is.
    """
    try:
        if path.suffix == ".txt":
            yield from _read_lines(path, [*columns, *where])
            return
        table = pyarrow.dataset.dataset(path, format=_format(path))
        missing = [name for name in [*columns, *where] if name not in table.schema.names]
        if missing:
            raise UserError(f"{path}: has no column {missing[0]!r}; it has {', '.join(table.schema.names)}")
        for name in columns:
            kind = table.schema.field(name).type
            if pa.types.is_binary(kind) or pa.types.is_nested(kind):  # binary is what CSV holds that is not UTF-8
                raise UserError(f"{path}: column {name!r} holds {kind}, not text in UTF-8 or numbers")
        condition = pc.scalar(True)
        for name, value in where.items():
            kind = table.schema.field(name).type
            if isinstance(value, str) == pa.types.is_primitive(kind) and not pa.types.is_null(kind):
                raise UserError(f"{path}: where {name} = {value!r} cannot match, for the column holds {kind}")
            condition &= pc.field(name) == value
        for batch in table.to_batches(columns=list(columns), filter=condition):
            batch.validate(full=True)  # Arrow reads JSON and Parquet without a look at their UTF-8
            yield batch
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from None


def read_table(path: Path, columns: Sequence[str], where: Mapping[str, str | int]) -> pa.Table:
    """All matching rows of one table; see `read_batches`."""
    batches = list(read_batches(path, columns, where))
    return pa.Table.from_batches(batches) if batches else pa.table({name: [] for name in columns})


def _format(path: Path) -> pyarrow.dataset.FileFormat | str:
    match path.suffix:
        case ".parquet":
            return "parquet"
        case ".jsonl":
            return "json"
        case ".csv" | ".tsv":
            delimiter = "," if path.suffix == ".csv" else "\t"
            parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
            return pyarrow.dataset.CsvFileFormat(parse_options=parse)
    raise UserError(f"{path}: unknown format {path.suffix!r}; known are {', '.join(FORMATS)}")


def _read_lines(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The lines of a text file as a table with the one column `text`."""
    if list(columns) != ["text"]:
        raise UserError(f"{path}: a text file has the one column 'text', not {', '.join(columns)}")
    lines: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            lines.append(line.rstrip("\n"))
            if len(lines) == 10_000:
                yield pa.record_batch({"text": lines})
                lines = []
    if lines:
        yield pa.record_batch({"text": lines})
