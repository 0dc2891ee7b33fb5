"""Finding table files, and cutting them into parts."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_tables import read_texts, rules

from textbook.errors import UserError
from textbook.tables.files import Part, choose_tables, cut_table, find_tables, naming_file
from textbook.tables.read import read_rows_of


def texts_of(parts: list[Part]) -> list[str]:
    blocks = [block for part in parts for block in read_rows_of(part, ["text"], rules())]
    return [text for block in blocks for text in block.columns["text"]]


def test_only_the_tables_of_a_folder_are_listed_and_sorted(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl", "README.md", "deep/c.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_tables(tmp_path) == [tmp_path / name for name in ("a.jsonl", "b.csv", "deep/c.parquet")]


def test_hidden_files_are_no_tables(tmp_path: Path) -> None:
    for name in (
        ".ipynb_checkpoints/a-checkpoint.csv",
        "._a.csv",
        "__MACOSX/a.csv",
        "deep/.hidden/b.csv",
        "deep/a.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_tables(tmp_path) == [tmp_path / "deep/a.csv"]
    names = [str(path) for path in tmp_path.rglob("*") if path.is_file()]
    assert choose_tables(names, "*", str(tmp_path)) == [str(tmp_path / "deep/a.csv")]


def test_a_file_is_its_only_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    assert find_tables(tmp_path / "a.csv") == [tmp_path / "a.csv"]


def test_a_folder_without_tables_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(UserError, match=rf"\A{tmp_path}: has no tables; supported formats are \.parquet.*\Z"):
        find_tables(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("a é\r", max_size=12), min_size=1), st.booleans(), st.integers(1, 40))
def test_the_parts_of_a_text_file_make_up_the_whole(lines: list[str], last_newline: bool, part_bytes: int) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "a.txt"
        path.write_bytes(("\n".join(lines) + "\n" * last_newline).encode())
        parts = cut_table(str(path), part_bytes)
        texts = texts_of(parts)
        whole = read_texts(path)
    assert texts == whole
    assert all(before.stop == after.start for before, after in pairwise(parts))


def test_parquet_is_cut_at_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [{"text": f"{number} " * 50} for number in range(1_000)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    parts = cut_table(str(path), 10_000)
    assert len(parts) > 3
    assert [part.start for part in parts][1:] == [part.stop for part in parts][:-1]
    assert [{"text": text} for text in texts_of(parts)] == rows


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt.gz", "a.parquet.zst"])
def test_tables_that_cannot_be_cut_are_one_part(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"text\n" * 1_000)
    assert cut_table(str(tmp_path / name), 10) == [Part(str(tmp_path / name))]


def test_an_empty_text_file_is_a_part_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (part,) = cut_table(str(tmp_path / "a.txt"))
    assert texts_of([part]) == []


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("*", ["a/1.jsonl.gz", "a/2.txt", "b/3.parquet", "top.csv.zst"]),
        ("a/*", ["a/1.jsonl.gz", "a/2.txt"]),
        ("*.parquet", ["b/3.parquet"]),
        ("[at]*.zst", ["top.csv.zst"]),
    ],
)
def test_a_glob_selects_tables_of_a_folder(pattern: str, chosen: list[str]) -> None:
    names = ["README.md", "a/1.jsonl.gz", "a/2.txt", "b/3.parquet", "b/model.bin.gz", "top.csv.zst"]
    assert choose_tables([f"/data/{name}" for name in names], pattern, "/data") == [f"/data/{name}" for name in chosen]


def test_a_glob_without_a_match_is_rejected_with_an_existing_table() -> None:
    with pytest.raises(UserError, match=r"^/data: none of its 1 tables matches 'b/\*'; the first is a/1\.txt$"):
        choose_tables(["/data/a/1.txt"], "b/*", "/data")


def test_an_error_without_a_text_is_named_by_its_class() -> None:
    with pytest.raises(UserError, match=r"^a\.csv: OSError$"), naming_file("a.csv"):
        raise OSError
