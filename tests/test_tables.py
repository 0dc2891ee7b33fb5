"""Rows of text tables in every format."""

import csv
import gzip
import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.errors import UserError
from textbook.tables import FORMATS, KNOWN, Part, choose_tables, cut_table, find_tables, read_batches, read_table

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
    """The message, which must be one line that names the file first."""
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


def test_columns_come_as_asked_for(table: Path) -> None:
    assert read_table(table, ["label", "text"], {}).column_names == ["label", "text"]


@pytest.mark.parametrize(
    ("where", "kept"),
    [({"source": "web"}, [0, 2, 3]), ({"label": 1}, [1, 2]), ({"source": "web", "label": 1}, [2]), ({"label": 7}, [])],
)
def test_only_rows_that_match_every_condition_are_read(
    table: Path, where: Mapping[str, str | int], kept: list[int]
) -> None:
    assert read_table(table, ["text"], where)["text"].to_pylist() == [ROWS[row]["text"] for row in kept]


@pytest.mark.parametrize(("columns", "where"), [(["text", "lable"], {}), (["text"], {"lable": 1})])
def test_a_missing_column_is_named_with_those_that_are_there(
    table: Path, columns: list[str], where: dict[str, str | int]
) -> None:
    with pytest.raises(UserError) as error:
        read_table(table, columns, where)
    assert one_line(error, table) == f"{table}: has no column 'lable'; it has text, label, source"


@pytest.mark.parametrize(("key", "value", "kind"), [("label", "1", "int64"), ("source", 1, "string")])
def test_a_condition_of_the_wrong_type_is_refused(table: Path, key: str, value: str | int, kind: str) -> None:
    with pytest.raises(UserError) as error:
        read_table(table, ["text"], {key: value})
    assert one_line(error, table) == f"{table}: where {key} = {value!r} cannot match, for the column holds {kind}"


def test_lines_of_a_text_file_are_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("first\r\nsecond\n\nvierte — Zeile".encode())
    assert read_table(path, ["text"], {})["text"].to_pylist() == ["first", "second", "", "vierte — Zeile"]


def test_a_long_text_file_comes_in_batches_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{line:>40}\n" for line in range(250_000)))
    batches = list(read_batches(Part(str(path)), ["text"], {}))
    assert max(batch.nbytes for batch in batches) < path.stat().st_size / 2, "half of the file came as one batch"
    assert [int(line) for batch in batches for line in batch["text"].to_pylist()] == list(range(250_000))


@pytest.mark.parametrize(("columns", "where"), [(["review"], {}), (["text", "label"], {}), (["text"], {"source": "a"})])
def test_a_text_file_has_the_one_column_text(tmp_path: Path, columns: list[str], where: dict[str, str | int]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("line\n")
    with pytest.raises(UserError) as error:
        read_table(path, columns, where)
    assert "a text file has the one column 'text'" in one_line(error, path)


def write_invalid_utf8(path: Path) -> None:
    bad = b"caf\xe9 \xff"
    match path.suffix:
        case ".parquet":
            strings = pa.Array.from_buffers(pa.string(), 1, pa.array([bad], pa.binary()).buffers())
            pq.write_table(pa.table({"text": strings}), path)
        case ".jsonl":
            path.write_bytes(b'{"text": "fine"}\n{"text": "' + bad + b'"}\n')
        case _:
            path.write_bytes(b"text\nfine\n" + bad + b"\n")


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_that_is_not_utf8_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_invalid_utf8(path)
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "utf" in one_line(error, path).lower()


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix != ".txt"])
def test_an_empty_file_that_should_have_columns_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "empty" in one_line(error, path).lower() or "0 bytes" in str(error.value)


@pytest.mark.parametrize(("name", "content"), [("a.txt", ""), ("a.csv", "text,label\n"), ("a.tsv", "text\tlabel\n")])
def test_a_table_without_rows_has_the_columns_asked_for(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    rows = read_table(tmp_path / name, ["text"], {})
    assert (rows.num_rows, rows.column_names) == (0, ["text"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "text,label\nfine,1\nshort\n"), ("a.jsonl", '{"text": "a"\n'), ("a.parquet", "PAR1 no such thing PAR1")],
)
def test_a_broken_file_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as error:
        read_table(tmp_path / name, ["text"], {})
    assert one_line(error, tmp_path / name)


def test_a_column_of_lists_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": ["one", "two"]}\n')
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "column 'text' holds list<item: string>" in one_line(error, path)


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_text("text\n")
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert one_line(error, path) == f"{path}: unknown format '.xlsx'; known are {KNOWN}"


def test_tables_of_a_folder_are_found_sorted_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl", "README.md", "deep/c.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_tables(tmp_path) == [tmp_path / name for name in ("a.jsonl", "b.csv", "deep/c.parquet")]


def test_a_file_is_its_own_only_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    assert find_tables(tmp_path / "a.csv") == [tmp_path / "a.csv"]


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(UserError) as error:
        find_tables(tmp_path)
    assert "holds no table; known formats are .parquet" in one_line(error, tmp_path)


def pack(path: Path, packing: str) -> Path:
    """Pack a file as two frames, one after the other, as parallel packers write them."""
    content = path.read_bytes()
    packed = path.with_name(f"{path.name}.{packing}")
    half = len(content) // 2
    with packed.open("wb") as file:
        for piece in (content[:half], content[half:]):
            codec = {"gz": gzip.compress, "zst": lambda data: pa.compress(data, "zstd", asbytes=True)}[packing]
            file.write(codec(piece))
    path.unlink()
    return packed


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_a_packed_table_gives_the_same_rows(table: Path, packing: str) -> None:
    assert read_table(pack(table, packing), ["text", "label", "source"], {}).to_pylist() == ROWS


@pytest.mark.parametrize("packing", ["gz", "zst"])
@pytest.mark.parametrize("harm", ["cut short", "no such format"])
def test_a_broken_packed_file_is_refused(tmp_path: Path, packing: str, harm: str) -> None:
    (tmp_path / "a.txt").write_text("".join(f"{number * number} is a square\n" for number in range(50_000)))
    path = pack(tmp_path / "a.txt", packing)
    path.write_bytes(path.read_bytes()[:-1000] if harm == "cut short" else b"plain text\n")
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


def test_a_csv_row_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "word " * 10_000_000 + "\nshort\n")
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert "has a row longer than 16 MiB" in one_line(error, path)


@pytest.mark.parametrize("content", [bytes(range(256)) * 40, "text in UTF-16\n".encode("utf-16"), b"a\0b\n"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_binary_file_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_table(path, ["text"], {})
    assert one_line(error, path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    content = {".txt": "fine", ".jsonl": '{"text": "fine"}', ".csv": "text\nfine\n"}[suffix]
    path.write_text(content, encoding="utf-8-sig")
    assert read_table(path, ["text"], {})["text"].to_pylist() == ["fine"]


def test_blocks_of_json_may_differ_in_what_is_null(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "x" * 3_000_000, "label": label} for label in (None, 1, None, 2)]
    WRITERS["jsonl"](path, rows)
    assert read_table(path, ["label"], {})["label"].to_pylist() == [None, 1, None, 2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("a é\r", max_size=12), min_size=1), st.booleans(), st.integers(1, 40))
def test_the_parts_of_a_text_file_are_together_the_whole(lines: list[str], closed: bool, part_bytes: int) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "a.txt"
        path.write_bytes(("\n".join(lines) + "\n" * closed).encode())
        parts = cut_table(str(path), part_bytes)
        batches = [batch for part in parts for batch in read_batches(part, ["text"], {})]
        whole = read_table(path, ["text"], {})["text"].to_pylist()
    assert [text for batch in batches for text in batch["text"].to_pylist()] == whole
    assert all(before.stop == after.start for before, after in pairwise(parts))


def test_parquet_is_cut_at_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [{"text": f"{number} " * 50} for number in range(1_000)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    parts = cut_table(str(path), 10_000)
    assert len(parts) > 3
    assert [part.start for part in parts][1:] == [part.stop for part in parts][:-1]
    found = [batch for part in parts for batch in read_batches(part, ["text"], {})]
    assert [row for batch in found for row in batch.to_pylist()] == rows


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt.gz", "a.parquet.zst"])
def test_what_has_but_one_beginning_is_one_part(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"text\n" * 1_000)
    assert cut_table(str(tmp_path / name), 10) == [Part(str(tmp_path / name))]


def test_an_empty_text_file_is_a_part_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (part,) = cut_table(str(tmp_path / "a.txt"))
    assert sum(batch.num_rows for batch in read_batches(part, ["text"], {})) == 0


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("*", ["a/1.jsonl.gz", "a/2.txt", "b/3.parquet", "top.csv.zst"]),
        ("a/*", ["a/1.jsonl.gz", "a/2.txt"]),
        ("*.parquet", ["b/3.parquet"]),
        ("[at]*.zst", ["top.csv.zst"]),
    ],
)
def test_a_glob_chooses_among_the_tables_of_a_folder(pattern: str, chosen: list[str]) -> None:
    names = ["README.md", "a/1.jsonl.gz", "a/2.txt", "b/3.parquet", "b/model.bin.gz", "top.csv.zst"]
    assert choose_tables([f"/data/{name}" for name in names], pattern, "/data") == [f"/data/{name}" for name in chosen]


def test_a_glob_without_a_match_is_refused_with_a_table_that_is_there() -> None:
    with pytest.raises(UserError, match=r"^/data: none of its 1 tables matches 'b/\*'; the first is a/1\.txt$"):
        choose_tables(["/data/a/1.txt"], "b/*", "/data")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_text_that_looks_like_a_number_stays_as_it_is_written(tmp_path: Path, name: str) -> None:
    mark = "," if name.endswith("csv") else "\t"
    lines = ["text", "label"], ["007", "1"], ["1e3", "2"], ["true", "3"], ["", "4"], ["NA", "5"]
    (tmp_path / name).write_text("".join(f"{mark.join(line)}\n" for line in lines))
    rows = read_table(tmp_path / name, ["text", "label"], {}, texts=["text"])
    assert rows["text"].to_pylist() == ["007", "1e3", "true", "", "NA"]
    assert rows["label"].to_pylist() == [1, 2, 3, 4, 5]


def test_text_by_which_rows_are_chosen_is_still_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n7\n8\n")
    assert read_table(tmp_path / "a.csv", ["text"], {"text": 7}, texts=["text"])["text"].to_pylist() == [7]
