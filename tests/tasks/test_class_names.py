"""Class names that come from the data: a `ClassLabel` of Hugging Face `datasets`."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from textbook.errors import UserError
from textbook.params import Task
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import read_split, with_classes


def task(**changes: Any) -> Task:
    return Task(**{"asset": "films", "text": ["review"], "label": "stars", **changes})


def write_class_labels(path: Path, names: list[str], labels: list[int]) -> None:
    feature = datasets.ClassLabel(names=names)
    features = datasets.Features({"review": datasets.Value("string"), "stars": feature})
    texts = [f"{path.stem} {number}" for number in range(len(labels))]
    datasets.Dataset.from_dict({"review": texts, "stars": labels}, features=features).to_parquet(str(path))


def labels_of(folder: Path, split: str) -> list[int]:
    return list(read_split(folder, split)["label"].to_pylist())


def test_classes_may_come_from_the_data(tmp_path: Path) -> None:
    write_class_labels(tmp_path / "train.parquet", ["bad", "good"], [0, 1, 1])
    write_class_labels(tmp_path / "validation.parquet", ["bad", "good"], [1, 0])
    folder = tmp_path / "prepared"
    folder.mkdir()
    assert prepare_task("mood", task(), tmp_path, folder).task.labels == ["bad", "good"]
    assert with_classes(task(), folder).outputs == ["bad", "good"]
    assert labels_of(folder, "validation") == [1, 0]


@pytest.mark.parametrize(("labels", "indices"), [(["good", "bad"], [0, 1, 1]), (["dull", "fine"], [1, 0, 0])])
def test_class_names_in_another_order_are_matched_by_name(
    tmp_path: Path, labels: list[str], indices: list[int]
) -> None:
    write_class_labels(tmp_path / "train.parquet", ["bad", "good"], [1, 0, 0])
    write_class_labels(tmp_path / "validation.parquet", ["bad", "good"], [1, 0])
    prepare_task("mood", task(labels=labels), tmp_path, tmp_path)
    assert labels_of(tmp_path, "train") == indices


@pytest.mark.parametrize(
    ("validation", "problem"),
    [
        (["bad", "good", "new"], "validation.parquet has the classes bad, good, new, but"),
        ([], "set `labels` (the classes) or `scale` (the lowest and highest value); column 'stars' of"),
    ],
)
def test_data_without_the_same_class_names_need_labels(tmp_path: Path, validation: list[str], problem: str) -> None:
    write_class_labels(tmp_path / "train.parquet", ["bad", "good"], [0, 1])
    if validation:
        write_class_labels(tmp_path / "validation.parquet", validation, [0, 1])
    else:
        (tmp_path / "validation.jsonl").write_text(json.dumps({"review": "new", "stars": 1}) + "\n")
    with pytest.raises(UserError) as error:
        prepare_task("mood", task(), tmp_path, tmp_path)
    assert problem in str(error.value)


def test_f1_needs_two_classes_in_the_data_too(tmp_path: Path) -> None:
    write_class_labels(tmp_path / "train.parquet", ["bad", "fair", "good"], [0, 1, 2])
    write_class_labels(tmp_path / "validation.parquet", ["bad", "fair", "good"], [0, 1, 2])
    with pytest.raises(UserError, match=r"'f1' needs two classes; for 3 use 'macro_f1'$"):
        prepare_task("mood", task(metrics=["f1"]), tmp_path, tmp_path)


def test_a_row_of_a_test_split_without_label_is_refused(tmp_path: Path) -> None:
    write_class_labels(tmp_path / "train.parquet", ["bad", "good"], [0, 1, -1])
    write_class_labels(tmp_path / "validation.parquet", ["bad", "good"], [0, 1])
    with pytest.raises(UserError, match=r"train\.parquet, row 2: label -1 is not one of bad, good or 0 to 1$"):
        prepare_task("mood", task(), tmp_path, tmp_path)
