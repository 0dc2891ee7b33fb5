"""Streaming data sets shard by shard, from local folders."""

import json
import shutil
from pathlib import Path

import pytest
from datasets import DatasetDict
from toy_datasets import rows, write_files, write_repository

from textbook.assets.manifest import locate
from textbook.errors import UserError
from textbook.params import DatasetAsset, Source
from textbook.tables.dataset_fetch import fetch_dataset
from textbook.tables.dataset_parts import DatasetPart, cut_dataset, is_streamed, read_dataset

ASSET = Path("data/assets/d")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, as the working folder, and a place for its data."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def cut(name: str, **settings: object) -> dict[DatasetPart, str]:
    fetch_dataset(DatasetAsset(name=name, stream=True, **settings), ASSET)
    return cut_dataset(ASSET)


def texts(part: DatasetPart, column: str = "text", **source: object) -> list[object]:
    blocks = read_dataset(part, [column], Source(asset="d", column=column, **source))
    return [value for block in blocks for value in block.columns[column]]


def test_each_file_of_a_split_is_a_part(project: Path) -> None:
    parts = cut(str(write_repository(project / "news")), config="small")
    assert [(part.split, part.shard, part.shards, part.file) for part in parts] == [
        ("train", 0, 2, "small/train-00000-of-00002.parquet"),
        ("train", 1, 2, "small/train-00001-of-00002.parquet"),
        ("validation_matched", 0, 1, "small/validation-00000-of-00001.parquet"),
    ]
    assert [texts(part) for part in parts] == [rows(3)["text"], rows(2, first=3)["text"], rows(2, first=9)["text"]]
    assert sorted(path.name for path in ASSET.iterdir()) == ["asset.json"], "rows were stored"
    assert len(set(parts.values())) == 1


def test_rows_are_chosen_by_other_columns_and_know_their_place(project: Path) -> None:
    (part,) = cut(str(write_repository(project / "news")), config="large")
    blocks = list(read_dataset(part, ["text"], Source(asset="d", where={"label": 1})))
    places = [block.place(index) for block in blocks for index in range(len(block))]
    assert places == ["row 1", "row 3", "row 5", "row 7"]
    assert texts(part, where={"label": 1}) == rows(9)["text"][1::2]
    with pytest.raises(
        UserError, match=r"^assets\.dataset\.d: large/train\.parquet: where label = 'good' cannot match"
    ):
        texts(part, where={"label": "good"})
    with pytest.raises(
        UserError, match=r"^assets\.dataset\.d: large/train\.parquet: `delimiter`, `quote` and `escape`"
    ):
        texts(part, quote="'")


@pytest.mark.parametrize("column", ["body", "Text"])
def test_a_missing_column_is_named(project: Path, column: str) -> None:
    (part,) = cut(str(write_repository(project / "news")), config="large")
    with pytest.raises(UserError) as error:
        texts(part, column)
    assert str(error.value) == (f"assets.dataset.d: large/train.parquet: has no column {column!r}; it has text, label")


def test_a_saved_data_set_is_streamed(project: Path) -> None:
    DatasetDict(train=rows(5), test=rows(2)).save_to_disk("saved", num_shards={"train": 2, "test": 1})
    parts = cut("saved", splits=["train"])
    assert [part.file for part in parts] == ["train, shard 0 of 2", "train, shard 1 of 2"]
    assert [text for part in parts for text in texts(part)] == rows(5)["text"]


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("a.txt", "one\n\ntwo\n", ["one", "", "two"]),
        ("a.jsonl", '{"text": "1", "n": {}}\n{"text": "\\"x\\"", "n": 2}\n{"text": null}\n', ["1", '"x"', None]),
    ],
)
def test_text_formats_are_streamed(project: Path, name: str, lines: str, expected: list[str | None]) -> None:
    write_files(Path("d"), {name: lines})
    (part,) = cut("d")
    assert texts(part) == expected


def test_a_column_of_mixed_types_is_not_streamed(project: Path) -> None:
    write_files(Path("d"), {"a.jsonl": '{"text": 1}\n{"text": "null"}\n'})
    (part,) = cut("d")
    with pytest.raises(
        UserError, match=r"a\.jsonl: column 'text' has values of mixed types, which only `stream: false`"
    ):
        texts(part)


def test_csv_is_not_streamed(project: Path) -> None:
    write_files(Path("d"), {"a.csv": "text\na\n"})
    with pytest.raises(UserError, match=r"^assets\.dataset\.d\.stream = true: must be false for CSV files"):
        cut("d")


def test_a_row_that_does_not_fit_is_refused_with_its_file(project: Path) -> None:
    write_files(Path("d"), {"1.jsonl": '{"text": "a"}\n', "2.jsonl": '{"text": "b"}\n{"tex": "c"}\n'})
    first, second = cut("d")
    assert texts(first) == ["a"]
    with pytest.raises(UserError, match=r"^assets\.dataset\.d: 2\.jsonl: .*Couldn't cast"):
        texts(second)


def test_a_copy_reads_its_own_files_and_changes_are_noticed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(Path("toy"), {"train.jsonl": '{"text": "a"}\n'})
    before = cut("toy")
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    Path("toy/train.jsonl").write_text('{"text": "b"}\n')
    with pytest.raises(
        UserError, match=r"toy/train\.jsonl: has changed since the asset d was fetched; run `dvc repro`"
    ):
        cut_dataset(ASSET)
    monkeypatch.chdir(copy)
    parts = cut_dataset(ASSET)
    assert [texts(part) for part in parts] == [["a"]]
    assert [part.identity() for part in parts] == [part.identity() for part in before]
    assert list(parts.values()) == list(before.values()), "where the folder is must not matter"


def test_only_a_source_can_be_streamed(project: Path) -> None:
    write_files(Path("toy"), {"train.jsonl": json.dumps({"text": "a"}) + "\n"})
    cut("toy")
    assert is_streamed(ASSET)
    with pytest.raises(UserError, match="is a data set that is streamed; only a source of the corpus can be"):
        locate(ASSET)
