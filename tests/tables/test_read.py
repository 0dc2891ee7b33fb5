"""Reading the rows of text tables in every format."""

import csv
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.errors import UserError
from textbook.tables.files import FORMATS, KNOWN, Part
from textbook.tables.read import read_batches, read_table

ROWS = [
    {"text": "A plain line", "label": 0, "source": "web"},
    {"text": 'Two lines,\nand a "quote"', "label": 1, "source": "book"},
    {"text": "", "label": 1, "source": "web"},
    {"text": "Ünïcode, 漢字", "label": 0, "source": "web"},
]


def write_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "parquet": lambda path, rows: pq.write_table(pa.Table.from_pylist(rows), path),
    "csv": write_csv,
    "tsv": lambda path, rows: write_csv(path, rows, "\t"),
    "jsonl": lambda path, rows: path.write_text("".join(json.dumps(row) + "\n" for row in rows)) and None,
}


def one_line(error: pytest.ExceptionInfo[UserError], path: Path) -> str:
    """The error message, which must be one line that starts with the file."""
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


@pytest.fixture(params=WRITERS)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"table.{request.param}"
    WRITERS[request.param](path, ROWS)
    return path


def test_every_format_gives_the_same_rows(table: Path) -> None:
    assert read_table(table, ["text", "label", "source"], {}).to_pylist() == ROWS


def test_quoted_line_breaks_are_kept_in_a_file_larger_than_a_block(tmp_path: Path) -> None:
    rows = [{"text": f"{number}" + "\nnext line, with a comma" * (number % 20)} for number in range(8_000)]
    write_csv(tmp_path / "a.csv", rows)
    assert (tmp_path / "a.csv").stat().st_size > 1_500_000, "Arrow parses pieces of 1 MiB"
    assert read_table(tmp_path / "a.csv", ["text"], {}).to_pylist() == rows


def test_columns_are_in_the_requested_order(table: Path) -> None:
    assert read_table(table, ["label", "text"], {}).column_names == ["label", "text"]


@pytest.mark.parametrize(
    ("where", "kept"),
    [({"source": "web"}, [0, 2, 3]), ({"label": 1}, [1, 2]), ({"source": "web", "label": 1}, [2]), ({"label": 7}, [])],
)
def test_only_rows_that_match_all_conditions_are_read(
    table: Path, where: Mapping[str, str | int], kept: list[int]
) -> None:
    assert read_table(table, ["text"], where)["text"].to_pylist() == [ROWS[row]["text"] for row in kept]


@pytest.mark.parametrize(("columns", "where"), [(["text", "lable"], {}), (["text"], {"lable": 1})])
def test_a_missing_column_is_named_with_the_existing_ones(
    table: Path, columns: list[str], where: dict[str, str | int]
) -> None:
    with pytest.raises(UserError) as error:
        read_table(table, columns, where)
    assert one_line(error, table) == f"{table}: has no column 'lable'; it has text, label, source"


@pytest.mark.parametrize(("key", "value", "kind"), [("label", "1", "int64"), ("source", 1, "string")])
def test_a_condition_of_the_wrong_type_is_rejected(table: Path, key: str, value: str | int, kind: str) -> None:
    with pytest.raises(UserError) as error:
        read_table(table, ["text"], {key: value})
    assert (
        one_line(error, table) == f"{table}: where {key} = {value!r} cannot match, because the column contains {kind}"
    )


def test_the_rows_of_a_text_file_are_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("first\r\nsecond\n\nvierte — Zeile".encode())
    assert read_table(path, ["text"], {})["text"].to_pylist() == ["first", "second", "", "vierte — Zeile"]


def test_a_long_text_file_is_read_in_batches_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{line:>40}\n" for line in range(250_000)))
    batches = list(read_batches(Part(str(path)), ["text"], {}))
    assert max(batch.nbytes for batch in batches) < path.stat().st_size / 2, "a batch has more than half of the file"
    assert [int(line) for batch in batches for line in batch["text"].to_pylist()] == list(range(250_000))


@pytest.mark.parametrize(("columns", "where"), [(["review"], {}), (["text", "label"], {}), (["text"], {"source": "a"})])
def test_a_text_file_has_the_single_column_text(
    tmp_path: Path, columns: list[str], where: dict[str, str | int]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("line\n")
    with pytest.raises(UserError) as error:
        read_table(path, columns, where)
    assert "a text file has the single column 'text'" in one_line(error, path)


def write_invalid_utf8(path: Path) -> None:
    invalid = b"caf\xe9 \xff"
    match path.suffix:
        case ".parquet":
            strings = pa.Array.from_buffers(pa.string(), 1, pa.array([invalid], pa.binary()).buffers())
            pq.write_table(pa.table({"text": strings}), path)
        case ".jsonl":
            path.write_bytes(b'{"text": "fine"}\n{"text": "' + invalid + b'"}\n')
        case _:
            path.write_bytes(b"text\nfine\n" + invalid + b"\n")


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_that_is_not_utf8_is_rejected(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_invalid_utf8(path)
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "utf" in one_line(error, path).lower()


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix != ".txt"])
def test_an_empty_file_is_rejected_if_its_format_has_columns(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "empty" in one_line(error, path).lower() or "0 bytes" in str(error.value)


@pytest.mark.parametrize(("name", "content"), [("a.txt", ""), ("a.csv", "text,label\n"), ("a.tsv", "text\tlabel\n")])
def test_a_table_without_rows_has_the_requested_columns(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    rows = read_table(tmp_path / name, ["text"], {})
    assert (rows.num_rows, rows.column_names) == (0, ["text"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "text,label\nfine,1\nshort\n"), ("a.jsonl", '{"text": "a"\n'), ("a.parquet", "PAR1 no such thing PAR1")],
)
def test_a_malformed_file_is_rejected(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as error:
        read_table(tmp_path / name, ["text"], {})
    assert one_line(error, tmp_path / name)


def test_a_column_of_lists_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": ["one", "two"]}\n')
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "column 'text' contains list<item: string>" in one_line(error, path)


def test_an_unknown_format_is_rejected_with_the_supported_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_text("text\n")
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert one_line(error, path) == f"{path}: unknown format '.xlsx'; supported are {KNOWN}"


def compress(path: Path, compression: str) -> Path:
    """Compress a file as two consecutive frames, as parallel compressors do."""
    content = path.read_bytes()
    compressed = path.with_name(f"{path.name}.{compression}")
    half = len(content) // 2
    with compressed.open("wb") as file:
        for piece in (content[:half], content[half:]):
            codec = {"gz": gzip.compress, "zst": lambda data: pa.compress(data, "zstd", asbytes=True)}[compression]
            file.write(codec(piece))
    path.unlink()
    return compressed


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_compressed_table_gives_the_same_rows(table: Path, compression: str) -> None:
    assert read_table(compress(table, compression), ["text", "label", "source"], {}).to_pylist() == ROWS


@pytest.mark.parametrize("compression", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["truncated", "not compressed"])
def test_a_damaged_compressed_file_is_rejected(tmp_path: Path, compression: str, damage: str) -> None:
    (tmp_path / "a.txt").write_text("".join(f"{number * number} is a square\n" for number in range(50_000)))
    path = compress(tmp_path / "a.txt", compression)
    path.write_bytes(path.read_bytes()[:-1000] if damage == "truncated" else b"plain text\n")
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert one_line(error, path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".jsonl.gz"])
def test_a_line_of_50_megabytes_is_one_row(tmp_path: Path, suffix: str) -> None:
    long = "long line " * 5_000_000
    texts = ["before", long, "after"]
    lines = texts if suffix == ".txt" else [json.dumps({"text": text}) for text in texts]
    content = "\n".join(lines).encode()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(content, 1) if suffix.endswith("gz") else content)
    assert read_table(path, ["text"], {})["text"].to_pylist() == texts


def test_a_csv_row_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "word " * 10_000_000 + "\nshort\n")
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "has a row longer than 16 MiB" in one_line(error, path)


@pytest.mark.parametrize("content", [bytes(range(256)) * 40, "text in UTF-16\n".encode("utf-16"), b"a\0b\n"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_binary_file_is_rejected(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert one_line(error, path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_a_byte_order_mark_is_removed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    content = {".txt": "fine", ".jsonl": '{"text": "fine"}', ".csv": "text\nfine\n"}[suffix]
    path.write_text(content, encoding="utf-8-sig")
    assert read_table(path, ["text"], {})["text"].to_pylist() == ["fine"]


def test_blocks_of_json_may_differ_in_their_nulls(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "x" * 3_000_000, "label": label} for label in (None, 1, None, 2)]
    WRITERS["jsonl"](path, rows)
    assert read_table(path, ["label"], {})["label"].to_pylist() == [None, 1, None, 2]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_text_that_looks_like_a_number_is_unchanged(tmp_path: Path, name: str) -> None:
    delimiter = "," if name.endswith("csv") else "\t"
    lines = ["text", "label"], ["007", "1"], ["1e3", "2"], ["true", "3"], ["", "4"], ["NA", "5"]
    (tmp_path / name).write_text("".join(f"{delimiter.join(line)}\n" for line in lines))
    rows = read_table(tmp_path / name, ["text", "label"], {}, texts=["text"])
    assert rows["text"].to_pylist() == ["007", "1e3", "true", "", "NA"]
    assert rows["label"].to_pylist() == [1, 2, 3, 4, 5]


def test_a_column_in_a_condition_is_not_forced_to_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n7\n8\n")
    assert read_table(tmp_path / "a.csv", ["text"], {"text": 7}, texts=["text"])["text"].to_pylist() == [7]
