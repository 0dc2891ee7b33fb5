"""Reading Parquet."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from textbook.errors import UserError
from textbook.tables.blocks import BLOCK_ROWS, Block, list_columns


def read_parquet(path: str, file: Any, start: int, stop: int | None, columns: Sequence[str]) -> Iterator[Block]:
    """Read the named columns of the row groups from `start` up to `stop` (None: the last one).

    Raises:
        UserError: a column is missing, occurs twice or has nested values, text is not UTF-8, or the file has fewer rows
            than it says.
    """
    with _seekable(file) as seekable:
        table = pq.ParquetFile(seekable, pre_buffer=False, page_checksum_verification=True)
        names = [field.name for field in table.schema_arrow]
        for name in columns:
            _check_column(path, name, names, table.schema_arrow)
        yield Block({name: [] for name in columns})
        groups = list(range(start, table.num_row_groups if stop is None else stop))
        skipped = sum(table.metadata.row_group(group).num_rows for group in range(start))
        expected = sum(table.metadata.row_group(group).num_rows for group in groups)
        count = 0
        for batch in table.iter_batches(BLOCK_ROWS, row_groups=groups, columns=columns):
            batch = batch.select(columns)
            batch.validate(full=True)  # Arrow does not check UTF-8 when it reads
            values = {name: batch.column(place).to_pylist() for place, name in enumerate(columns)}
            yield Block(values, skipped + count)
            count += batch.num_rows
        if count != expected or (stop is None and skipped + expected != table.metadata.num_rows):
            raise UserError(f"{path}: has {skipped + count:,} rows, but says that it has {table.metadata.num_rows:,}")


def class_names(path: Path, column: str) -> list[str] | None:
    """The class names of an integer column, if Hugging Face `datasets` wrote the file with a `ClassLabel`."""
    metadata = pq.read_schema(path).metadata or {}
    try:
        feature = json.loads(metadata[b"huggingface"])["info"]["features"][column]
        return [str(name) for name in feature["names"]]
    except (KeyError, TypeError, ValueError):
        return None


def _check_column(path: str, name: str, names: list[str], schema: pa.Schema) -> None:
    if name not in names:
        raise UserError(f"{path}: has no column {name!r}; it has {list_columns(names)}")
    if names.count(name) > 1:
        raise UserError(f"{path}: has {names.count(name)} columns {name!r}; rename the others: {list_columns(names)}")
    kind = schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    if binary or pa.types.is_nested(kind) or kind == pa.binary_view():
        raise UserError(f"{path}: column {name!r} contains {kind}, not text in UTF-8 or numbers")


@contextmanager
def _seekable(file: Any) -> Iterator[Any]:
    """The file, or a temporary copy: Parquet is read from its end, which a compressed stream cannot do."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        yield copy
