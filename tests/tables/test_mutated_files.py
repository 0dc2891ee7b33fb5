"""Damaged and odd files of each format are read completely or refused in one line, over many generated files.

A file with rows is changed at random places, as editors, spreadsheets, transfers and disks do.
"""

import random
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from mutations import change, changes
from toy_tables import WRITERS, read, refusal

from textbook.errors import UserError

FILES = 500
ROWS = [
    {"text": text, "label": number % 2, "note": f"n{number}"}
    for number, text in enumerate(
        ["plain", "a, b", 'say "hi"', "tab\there", "", "ünï 漢字", "x\\y", "1", "it's", "#"] * 3
    )
]


def original(suffix: str) -> bytes:
    """A file of the format. CSV has quoted fields, but none with line breaks."""
    if suffix == "txt":
        return "".join(f"{row['text'] or 'empty'}\n" for row in ROWS).encode()
    if suffix == "parquet":
        stream = BytesIO()
        pq.write_table(pa.Table.from_pylist(ROWS), stream, row_group_size=10, write_page_checksum=True)
        return stream.getvalue()
    path = Path(f"/dev/shm/original-{random.getrandbits(64)}.{suffix}")
    rows = (
        [{**row, "text": row["text"].replace("\t", " ").replace('"', "'")} for row in ROWS] if suffix == "tsv" else ROWS
    )
    try:
        WRITERS[suffix](path, rows)
        return path.read_bytes()
    finally:
        path.unlink()


def least_rows(suffix: str, content: bytes) -> int:
    """The number of rows that a reader may not fall below: those of the original, unless lines are gone."""
    lines = content.split(b"\n")
    if suffix == "parquet":
        return len(ROWS)
    if suffix == "txt":
        return len(lines) - (not lines[-1])
    filled = sum(bool(line.strip()) for line in lines)
    return filled if suffix == "jsonl" else min(len(ROWS), filled - 1)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet", "txt"])
@settings(
    max_examples=FILES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=changes())
def test_a_changed_file_is_read_completely_or_refused(
    tmp_path: Path, suffix: str, changes: list[tuple[str, float, bytes]]
) -> None:
    content = original(suffix)
    for kind, place, piece in changes:
        content = change(content, kind, place, piece)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    columns = ["text"] if suffix == "txt" else ["text", "label"]
    try:
        rows = read(path, columns)
    except UserError:
        assert refusal(path, columns)  # checks that it is one line that names the file
        return
    # Two new quotes may make a text with line breaks of several lines, as the format says.
    breaks = sum(str(row["text"]).count("\n") for row in rows) if suffix == "csv" else 0
    assert len(rows) + breaks >= least_rows(suffix, content)
    if suffix == "parquet":
        assert [(row["text"], row["label"]) for row in rows] == [(row["text"], row["label"]) for row in ROWS]
    if suffix == "csv":
        assert not any("\n" in row["label"] for row in rows)
