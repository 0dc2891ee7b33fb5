"""Tables in every format, and reading all rows of one."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.errors import UserError
from textbook.params import Table
from textbook.tables.files import Part
from textbook.tables.read import read_rows_of

Rows = list[dict[str, Any]]


def write_csv(path: Path, rows: Rows, delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    "parquet": lambda path, rows: pq.write_table(pa.Table.from_pylist(rows), path),
    "csv": write_csv,
    "tsv": lambda path, rows: write_csv(path, rows, "\t"),
    "jsonl": lambda path, rows: path.write_text("".join(json.dumps(row) + "\n" for row in rows)) and None,
}


def rules(**keys: Any) -> Table:
    return Table(asset="a", **keys)


def read(path: Path, columns: Sequence[str], **keys: Any) -> Rows:
    """All rows of a table."""
    blocks = read_rows_of(Part(str(path)), columns, rules(**keys))
    return [
        dict(zip(columns, row, strict=True)) for block in blocks for row in zip(*block.columns.values(), strict=True)
    ]


def read_texts(path: Path, **keys: Any) -> list[str]:
    return [row["text"] for row in read(path, ["text"], **keys)]


def refusal(path: Path, columns: Sequence[str] = ("text",), **keys: Any) -> str:
    """Why a table is refused: one line that starts with the file."""
    with pytest.raises(UserError) as error:
        read(path, columns, **keys)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")
