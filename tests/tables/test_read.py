"""Reading the rows of text tables in every format."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_tables import WRITERS, Rows, read, read_texts, refusal, rules, write_csv

from textbook.errors import UserError
from textbook.tables.files import FORMATS, KNOWN, Part
from textbook.tables.read import as_text, read_rows_of

ROWS = [
    {"text": "A plain line", "label": 0, "source": "web"},
    {"text": 'Two lines,\nand a "quote"', "label": 1, "source": "book"},
    {"text": "", "label": 1, "source": "web"},
    {"text": "Ünïcode, 漢字", "label": 0, "source": "web"},
]
COLUMNS = ["text", "label", "source"]


@pytest.fixture(params=WRITERS)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"table.{request.param}"
    WRITERS[request.param](path, ROWS)
    return path


def quotes(path: Path) -> dict[str, str]:
    """The keys that a file of the fixture needs: the TSV has quotes around texts with line breaks."""
    return {"quote": '"'} if ".tsv" in path.suffixes else {}


def as_written(path: Path) -> Rows:
    """The rows as their format has them: CSV and TSV have text only."""
    strings = {".csv", ".tsv"} & set(path.suffixes)
    return [{name: str(value) if strings else value for name, value in row.items()} for row in ROWS]


def test_every_format_gives_the_same_rows(table: Path) -> None:
    assert read(table, COLUMNS, **quotes(table)) == as_written(table)


def test_columns_are_in_the_requested_order(table: Path) -> None:
    assert list(read(table, ["label", "text"], **quotes(table))[0]) == ["label", "text"]


def test_a_row_knows_its_number_and_its_line_in_the_file(table: Path) -> None:
    blocks = read_rows_of(Part(str(table)), ["text"], rules(where={"label": 0}, **quotes(table)))
    places = [block.place(index) for block in blocks for index in range(len(block))]
    expected = {
        ".parquet": ["row 0", "row 3"],
        ".jsonl": ["row 0 (line 1)", "row 3 (line 4)"],
        ".csv": ["row 0 (line 2)", "row 3 (line 6)"],  # row 1 takes two lines
    }
    assert places == expected[table.suffix.replace("tsv", "csv")]


@pytest.mark.parametrize(("columns", "where"), [(["text", "lable"], {}), (["text"], {"lable": 1})])
def test_a_missing_column_is_named_with_the_existing_ones(
    table: Path, columns: list[str], where: dict[str, str | int]
) -> None:
    reason = refusal(table, columns, where=where, **quotes(table))
    assert reason == "has no column 'lable'; it has text, label, source"


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_only_a_named_column_may_not_occur_twice(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    names = ["text", "label", "text", "other", "other"]
    if suffix == ".csv":
        path.write_text(f"{','.join(names)}\na,1,b,2,3\n")
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 5, names), path)
    assert len(read(path, ["label"])) == 1
    assert refusal(path) == "has 2 columns 'text'; rename the others: text, label, text, other, other"


def test_the_rows_of_a_text_file_are_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("first\r\nsecond\n\nvierte — Zeile".encode())
    assert read_texts(path) == ["first", "second", "", "vierte — Zeile"]


def test_a_long_text_file_is_read_in_blocks_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{line:>40}\n" for line in range(250_000)))
    blocks = list(read_rows_of(Part(str(path)), ["text"], rules()))
    assert max(map(len, blocks)) < 125_000, "a block has more than half of the file"
    assert [int(line) for block in blocks for line in block.columns["text"]] == list(range(250_000))


@pytest.mark.parametrize(("columns", "where"), [(["review"], {}), (["text", "label"], {}), (["text"], {"source": "a"})])
def test_a_text_file_has_the_single_column_text(
    tmp_path: Path, columns: list[str], where: dict[str, str | int]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("line\n")
    assert "a text file has the single column 'text'" in refusal(path, columns, where=where)


@pytest.mark.parametrize("keys", [{"delimiter": ";"}, {"quote": "none"}, {"escape": "\\"}])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet"])
def test_keys_of_csv_are_refused_for_other_formats(tmp_path: Path, name: str, keys: dict[str, str]) -> None:
    (tmp_path / name).write_text("{}")
    assert "are for CSV and TSV files" in refusal(tmp_path / name, **keys)


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
    reason = refusal(path)
    assert "utf" in reason.lower()
    assert suffix == ".parquet" or f"line {2 if suffix == '.jsonl' else 3}" in reason


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix != ".txt"])
def test_an_empty_file_is_rejected_if_its_format_has_columns(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert "empty" in refusal(path).lower() or "0 bytes" in refusal(path)


@pytest.mark.parametrize(("name", "content"), [("a.txt", ""), ("a.csv", "text,label\n"), ("a.tsv", "text\tlabel\n")])
def test_a_table_may_have_no_rows(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read(tmp_path / name, ["text"]) == []


def test_a_damaged_parquet_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("PAR1 no such thing PAR1")
    assert refusal(tmp_path / "a.parquet")


def test_an_unknown_format_is_rejected_with_the_supported_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_text("text\n")
    assert refusal(path) == f"unknown format '.xlsx'; supported are {KNOWN}"


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
    assert read(compress(table, compression), COLUMNS, **quotes(table)) == as_written(table)


@pytest.mark.parametrize("compression", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["truncated", "not compressed"])
def test_a_damaged_compressed_file_is_rejected(tmp_path: Path, compression: str, damage: str) -> None:
    (tmp_path / "a.txt").write_text("".join(f"{number * number} is a square\n" for number in range(50_000)))
    path = compress(tmp_path / "a.txt", compression)
    path.write_bytes(path.read_bytes()[:-1000] if damage == "truncated" else b"plain text\n")
    assert refusal(path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".jsonl.gz", ".csv"])
def test_a_line_of_50_megabytes_is_one_row(tmp_path: Path, suffix: str) -> None:
    texts = ["before", "long line " * 5_000_000, "after"]
    lines = [json.dumps({"text": text}) for text in texts] if "jsonl" in suffix else texts
    content = "\n".join([*(["text"] if suffix == ".csv" else []), *lines]).encode()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(content, 1) if suffix.endswith("gz") else content)
    assert read_texts(path) == texts


@pytest.mark.parametrize("content", [bytes(range(256)) * 40, "text in UTF-16\n".encode("utf-16"), b"a\0b\n"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_binary_file_is_rejected(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert refusal(path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_a_byte_order_mark_is_removed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    content = {".txt": "fine", ".jsonl": '{"text": "fine"}', ".csv": "text\nfine\n"}[suffix]
    path.write_text(content, encoding="utf-8-sig")
    assert read_texts(path) == ["fine"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_text_that_looks_like_something_else_is_unchanged(tmp_path: Path, name: str) -> None:
    delimiter = "," if name.endswith("csv") else "\t"
    values = ["007", "1e3", "true", "", "NA", "n/a", "1.10", " blank "]
    (tmp_path / name).write_text(
        "".join(f"{delimiter.join(line)}\n" for line in [("text", "label"), *zip(values, values, strict=True)])
    )
    assert [tuple(row.values()) for row in read(tmp_path / name, ["text", "label"])] == [(v, v) for v in values]


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (1.5, "1.5"), (True, "true"), (None, None), (float("nan"), None), ("a", "a")]
)
def test_values_are_written_out_as_text(tmp_path: Path, value: Any, text: str | None) -> None:
    pq.write_table(pa.table({"text": [value]}), tmp_path / "a.parquet")
    _, block = read_rows_of(Part(str(tmp_path / "a.parquet")), ["text"], rules())
    assert as_text("a.parquet", block, "text") == [text]


def test_a_value_that_is_no_text_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": ["two"]}\n')
    (block,) = read_rows_of(Part(str(path)), ["text"], rules())
    with pytest.raises(UserError, match=rf"^{path}: row 1 \(line 2\): column 'text' contains a list, not text$"):
        as_text(str(path), block, "text")


def test_csv_is_read_in_blocks(tmp_path: Path) -> None:
    rows = [{"text": f"{number}" + "\nnext line, with a comma" * (number % 20)} for number in range(8_000)]
    write_csv(tmp_path / "a.csv", rows)
    blocks = list(read_rows_of(Part(str(tmp_path / "a.csv")), ["text"], rules()))
    assert max(map(len, blocks)) < 2_000
    assert [{"text": text} for block in blocks for text in block.columns["text"]] == rows
