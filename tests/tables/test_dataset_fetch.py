"""Fetching data sets in the layout of the hub and of `save_to_disk`, without a network."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import DatasetDict
from toy_datasets import rows, write_files, write_repository

from textbook.assets.manifest import locate
from textbook.errors import UserError
from textbook.files import sha256
from textbook.params import DatasetAsset
from textbook.tables.dataset_fetch import fetch_dataset
from textbook.tables.parquet import class_names


def fetch(name: Path, **settings: object) -> Path:
    """Fetch a data set from a local folder; return the folder of its Parquet files."""
    folder = name.parent / "assets" / "d"
    fetch_dataset(DatasetAsset(name=str(name), **settings), folder)
    return locate(folder)


def read(folder: Path) -> dict[str, list[dict[str, object]]]:
    return {path.stem: pq.read_table(path).to_pylist() for path in sorted(folder.iterdir())}


def refusal(name: Path, **settings: object) -> str:
    with pytest.raises(UserError) as error:
        fetch(name, **settings)
    assert "\n" not in str(error.value)
    assert list((name.parent / "assets").iterdir()) == [], "something was left behind"
    return str(error.value)


def test_a_configuration_becomes_a_file_per_split_with_class_names(tmp_path: Path) -> None:
    folder = fetch(write_repository(tmp_path / "news"), config="small")
    assert read(folder) == {"train": rows(5).to_list(), "validation_matched": rows(2, first=9).to_list()}
    assert class_names(folder / "train.parquet", "label") == ["bad", "good"]
    large = fetch(tmp_path / "news", config="large", splits=["train"])
    assert read(large) == {"train": rows(9).to_list()}


def test_only_the_chosen_splits_are_read(tmp_path: Path) -> None:
    write_repository(tmp_path / "news")
    (tmp_path / "news" / "small" / "train-00001-of-00002.parquet").write_bytes(b"damaged")
    folder = fetch(tmp_path / "news", config="small", splits=["validation_matched"])
    assert list(read(folder)) == ["validation_matched"]


def test_the_same_data_set_gives_the_same_bytes(tmp_path: Path) -> None:
    write_repository(tmp_path / "news")
    hashes = [{p.name: sha256(p) for p in fetch(tmp_path / "news", config="small").iterdir()} for _ in range(2)]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"\.config is missing: .*/news has the configurations small, large$"),
        ({"config": "tiny"}, r"\.config = 'tiny': must be one of small, large$"),
        (
            {"config": "small", "splits": ["dev"]},
            r"\.splits = \['dev'\]: 'dev' is not one of train, validation_matched$",
        ),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=rf"^assets\.dataset\.d{message}"):
        fetch(write_repository(tmp_path / "news"), **settings)


def test_saved_data_sets_are_read(tmp_path: Path) -> None:
    DatasetDict(train=rows(5), test=rows(2)).save_to_disk(tmp_path / "saved", num_shards={"train": 2, "test": 1})
    rows(3).save_to_disk(tmp_path / "single")
    folder = fetch(tmp_path / "saved")
    assert read(folder) == {"train": rows(5).to_list(), "test": rows(2).to_list()}
    assert class_names(folder / "train.parquet", "label") == ["bad", "good"]
    assert list(read(fetch(tmp_path / "saved", splits=["test"]))) == ["test"]
    assert read(fetch(tmp_path / "single")) == {"train": rows(3).to_list()}


def test_a_damaged_or_foreign_saved_data_set_is_refused(tmp_path: Path) -> None:
    rows(3).save_to_disk(tmp_path / "saved")
    assert refusal(tmp_path / "saved", config="small").startswith("assets.dataset.d.config = 'small': must be left out")
    state = tmp_path / "saved" / "state.json"
    state.write_text(state.read_text().replace("data-00000", "../other/data-00000"))
    rows(3).save_to_disk(tmp_path / "other")
    assert "which is not one of the files of" in refusal(tmp_path / "saved")
    (tmp_path / "other" / "data-00000-of-00001.arrow").write_bytes(b"ARROW1")
    assert refusal(tmp_path / "other").startswith("assets.dataset.d: ")


def test_csv_is_read_strictly_and_as_it_is_written(tmp_path: Path) -> None:
    train = 'text,label,other,other\n"a, ""b""",n/a,x,y\n"two\nlines",007,x,y\n,1.10,x,y\n'
    write_files(tmp_path / "d", {"train.csv": train, "validation.csv": "text,label\nNA,True\n"})
    assert read(fetch(tmp_path / "d")) == {
        "train": [
            {"text": 'a, "b"', "label": "n/a"},
            {"text": "two\nlines", "label": "007"},
            {"text": "", "label": "1.10"},
        ],
        "validation": [{"text": "NA", "label": "True"}],
    }


CARD = """dataset_info:
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': bad, '1': good}}}"""


def test_csv_takes_the_features_of_the_card(tmp_path: Path) -> None:
    write_files(tmp_path / "d", {"train.csv": "label,text\ngood,n/a\n,x\n0,y\n"}, CARD)
    folder = fetch(tmp_path / "d")
    expected = [{"text": "n/a", "label": 1}, {"text": "x", "label": None}, {"text": "y", "label": 0}]
    assert read(folder) == {"train": expected}
    assert class_names(folder / "train.parquet", "label") == ["bad", "good"]


@pytest.mark.parametrize(
    ("files", "card", "message"),
    [
        (
            {"train.csv": 'text,n\n"open,1\nb,2\n'},
            "",
            'train.csv: line 2 (up to line 3): a quote that opens here is never closed; if " is part of the text,'
            " double it, or set `quoting: 3` for the configuration in README.md",
        ),
        ({"train.tsv": 'a\tb\n"x" y\t1\n'}, "", "train.tsv: line 2: has text after a closing quote"),
        ({"train.csv": "a,b\n1,2,3\n"}, "", "train.csv: row 0 (line 2): has 3 columns, but the header has 2"),
        ({"train.csv": b"a,b\ncaf\xe9,1\n"}, "", "train.csv: "),
        (
            {"1.csv": "a,b\n1,2\n", "2.csv": "a,c\n1,2\n"},
            "",
            "the files of train have different columns: a, b and a, c",
        ),
        ({"train.csv": "text,label\na,ugly\n"}, CARD, "Invalid string class label ugly"),
        ({"train.csv": "text\na\n"}, CARD, "the files of train have no column 'label', which its features name"),
        (
            {"train.csv": "text\na\n"},
            "configs:\n- {config_name: x, data_files: train.csv, skiprows: 1}",
            "its configuration sets skiprows, which is not supported for CSV files",
        ),
        ({"1.jsonl": '{"a": 1}\n', "2.jsonl": '{"b": 1}\n'}, "", "Couldn't cast b: int64 a: int64 to {'a'"),
        ({"train.jsonl": '{"a": 1}\n{"a": }\n'}, "", "/train.jsonl: JSON parse error"),
        ({"train.parquet": b"PAR1"}, "", "/train.parquet: "),
        ({"train.txt": "version https://git-lfs.github.com/spec/v1\n"}, "", "/train.txt: is a Git LFS pointer"),
        ({"a.jsonl": "{}"}, "configs:\n- {config_name: x, data_files: b.jsonl}", "Unable to find '"),
        ({"a.jsonl": "{}"}, "configs:\n- {config_name: x, data_files: ../secret.jsonl}", "reads /"),
        ({"a.jsonl": "{}"}, "configs: [", "README.md: while parsing"),
        (
            {"a.jsonl": '{"text": "a"}\n', "b.csv": "text\nb\n"},
            "configs:\n- {config_name: x, data_files: a.jsonl}\n- {config_name: y, data_files: b.csv, default: true}",
            "config = 'y': has csv files, but `datasets` reads all configurations as the first one, which has json"
            " files; read its files as an asset of kind path",
        ),
        ({"a.png": b"x"}, "", "has imagefolder files; supported are parquet, csv, json, text, arrow"),
        ({"notes": "x"}, "", "No (supported) data files found"),
        (
            {"a.jsonl": "{}", "load.py": "class Films(datasets.GeneratorBasedBuilder):\n    pass\n"},
            "",
            "is loaded by a script, load.py, and code in a data set is never run",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path, files: dict[str, str | bytes], card: str, message: str
) -> None:
    (tmp_path / "secret.jsonl").write_text('{"text": "secret"}\n')
    problem = refusal(write_files(tmp_path / "d", files, card))
    assert problem.startswith("assets.dataset.d")
    assert message in problem


def test_values_of_mixed_types_and_dates_are_text_as_it_was_written(tmp_path: Path) -> None:
    lines = [
        {"text": 2001, "label": 1, "meta": {"a": 1}, "day": "2001-01-01"},
        {"text": "hé", "label": "n/a", "meta": "b", "day": "2001-01-02"},
        {"text": '"null"', "label": True, "meta": None},
        {"text": "null", "label": "true"},
    ]
    write_files(tmp_path / "d", {"train.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    assert read(fetch(tmp_path / "d"))["train"] == [
        {"text": "2001", "label": "1", "meta": '{"a": 1}', "day": "2001-01-01"},
        {"text": "hé", "label": "n/a", "meta": "b", "day": "2001-01-02"},
        {"text": '"null"', "label": "true", "meta": None, "day": None},
        {"text": "null", "label": "true", "meta": None, "day": None},
    ]
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["train.jsonl"]


def test_times_stay_what_they_are_where_they_have_a_type(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"], "day": pa.array([0], pa.timestamp("s"))})
    (tmp_path / "d").mkdir()
    pq.write_table(table, tmp_path / "d" / "train.parquet")
    folder = fetch(tmp_path / "d")
    assert pq.read_schema(folder / "train.parquet").field("day").type == pa.timestamp("ms")


def test_a_saved_column_of_mixed_types_is_no_text(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Json(), "n": datasets.Value("int64")})
    datasets.Dataset.from_dict({"text": ["null", 1], "n": [1, 2]}, features).save_to_disk(tmp_path / "saved")
    folder = fetch(tmp_path / "saved")
    assert pq.read_schema(folder / "train.parquet").field("text").type == pa.binary()
    assert pq.read_table(folder / "train.parquet")["n"].to_pylist() == [1, 2]


def test_links_and_hidden_files(tmp_path: Path) -> None:
    write_files(tmp_path, {"cache/0a1b": '{"text": "a"}\n', "d/.ipynb_checkpoints/train-copy.jsonl": '{"text": "b"}\n'})
    (tmp_path / "d" / "train.jsonl").symlink_to(tmp_path / "cache" / "0a1b")
    (tmp_path / "link").symlink_to(tmp_path / "d")
    assert read(fetch(tmp_path / "link")) == {"train": [{"text": "a"}]}


@pytest.mark.parametrize("name", ["gone", "someone/gone"])
def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    hint = "; a data set of the hub needs a revision" if "/" in name else ""
    with pytest.raises(UserError) as error:
        fetch_dataset(DatasetAsset(name=name), Path("assets/d"))
    assert str(error.value) == f"assets.dataset.d.name = {name!r}: no such folder{hint}"


def test_a_folder_named_like_a_format_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(Path("text"), {"train.jsonl": '{"text": "a"}\n'})
    assert fetch_dataset(DatasetAsset(name="text"), Path("assets/d")) == {"train": 1}


def test_configurations_of_the_card_are_used(tmp_path: Path) -> None:
    write_files(
        tmp_path / "d", {"a.csv": "text;n\na,b;1\n"}, "configs:\n- {config_name: x, data_files: a.csv, sep: ';'}"
    )
    assert read(fetch(tmp_path / "d")) == {"train": [{"text": "a,b", "n": "1"}]}
