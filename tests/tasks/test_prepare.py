"""Preparing a labelled task, and reading its splits."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.errors import UserError
from textbook.params import Task
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import (
    TRAIN,
    VALIDATION,
    evaluation_sentences,
    read_split,
    sentences,
    text_columns,
    texts,
    validation_splits,
)

SPLITS = (TRAIN, VALIDATION)
Rows = list[dict[str, Any]]

ROWS: Rows = [{"review": f"Review {number}", "stars": number % 2} for number in range(10)]


def task(**changes: Any) -> Task:
    fields = {"asset": "films", "text": ["review"], "label": "stars", "labels": ["bad", "good"], "holdout": 3}
    return Task(**{**fields, **changes})


def write_rows(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prepare(tmp_path: Path, settings: Task, rows: Rows | None = None) -> Path:
    folder = tmp_path / "prepared"
    folder.mkdir(exist_ok=True)
    prepare_task("mood", settings, write_rows(tmp_path / "films.jsonl", ROWS if rows is None else rows), folder)
    return folder


def rows_of(folder: Path, split: str) -> Rows:
    return list(read_split(folder, split).to_pylist())


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.data())
def test_the_holdout_and_the_rest_partition_the_rows_in_order(
    tmp_path_factory: pytest.TempPathFactory, size: int, data: st.DataObject
) -> None:
    holdout = data.draw(st.integers(1, size - 1))
    scale = {"labels": None, "scale": [0, 1]}  # every class needs rows in train
    rows = [{"review": f"{number:02}", "stars": number % 2} for number in range(size)]
    folder = prepare(tmp_path_factory.mktemp("task"), task(holdout=holdout, **scale), rows)
    train, validation = rows_of(folder, "train"), rows_of(folder, "validation")
    assert len(validation) == holdout
    numbers = [int(row["sentence"]) for row in [*train, *validation]]
    assert sorted(numbers) == list(range(size))
    assert numbers[:-holdout] == sorted(numbers[:-holdout])
    assert numbers[-holdout:] == sorted(numbers[-holdout:])
    assert all(row["label"] == int(row["sentence"]) % 2 for row in [*train, *validation]), (
        "labels were moved to other rows"
    )


def test_the_holdout_depends_on_the_seed_alone(tmp_path: Path) -> None:
    holdouts = [rows_of(prepare(tmp_path, task(seed=seed)), "validation") for seed in (0, 0, 1)]
    assert holdouts[0] == holdouts[1]
    assert holdouts[0] != holdouts[2]


def test_a_holdout_of_all_rows_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^tasks\.mood\.holdout = 10: must be less than its 10 rows$"):
        prepare(tmp_path, task(holdout=10))


def test_a_holdout_may_be_a_share_of_all_rows(tmp_path: Path) -> None:
    assert len(rows_of(prepare(tmp_path, task(holdout=0.2)), "validation")) == 2


def test_without_a_holdout_the_splits_are_the_files_with_their_names(tmp_path: Path) -> None:
    source, folder = tmp_path / "films", tmp_path / "prepared"
    folder.mkdir()
    for split, rows in {"train": ROWS[:6], "validation": ROWS[6:9], "test": ROWS[9:]}.items():
        write_rows(source / f"{split}.jsonl", rows)
    prepared = prepare_task("mood", task(holdout=None), source, folder)
    assert (prepared.rows, prepared.duplicates) == ({"train": 6, "validation": 3}, 0)
    assert validation_splits(folder) == ["validation"]
    assert [row["sentence"] for row in rows_of(folder, "validation")] == ["Review 6", "Review 7", "Review 8"]


@pytest.mark.parametrize("names", [["train.jsonl"], ["all.jsonl"]])
def test_a_missing_split_is_rejected_with_a_remedy(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        write_rows(tmp_path / "films" / name, ROWS)
    split = "validation" if "train.jsonl" in names else "train"
    remedy = f"has no {split} file; add one, or set tasks.mood.holdout"
    with pytest.raises(UserError, match=rf"^tasks\.mood: {tmp_path}/films {remedy}$"):
        prepare_task("mood", task(holdout=None), tmp_path / "films", tmp_path)


def test_a_single_file_needs_a_holdout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"films\.jsonl has no train file; add one, or set tasks\.mood\.holdout$"):
        prepare(tmp_path, task(holdout=None))


def write_splits(folder: Path, **splits: Rows) -> Path:
    for split, rows in splits.items():
        write_rows(folder / f"{split}.jsonl", rows)
    return folder


def test_pairs_have_two_columns_and_their_distinct_sentences_are_anchors(tmp_path: Path) -> None:
    settings = task(text=["left", "right"], holdout=None)
    rows = [{"left": "A", "right": "B", "stars": 0}, {"left": "B", "right": "A", "stars": 1}]
    validation = [{"left": "A", "right": "C", "stars": 0}]  # shares a sentence with train, but is another pair
    prepared = prepare_task(
        "mood", settings, write_splits(tmp_path, train=[*rows, *rows], validation=validation), tmp_path
    )
    assert prepared.duplicates == 0
    train = read_split(tmp_path, "train")
    assert train.column_names == [*text_columns(settings), "label"] == ["sentence1", "sentence2", "label"]
    assert texts(train) == (["A", "B", "A", "B"], ["B", "A", "B", "A"])
    assert sentences(train) == ["A", "B"]


def test_single_sentences_have_one_column_and_the_distinct_ones_are_anchors(tmp_path: Path) -> None:
    rows = [{"review": review, "stars": number % 2} for number, review in enumerate("babc")]
    source = write_splits(tmp_path, train=rows, validation=[{"review": "d", "stars": 0}])
    prepare_task("mood", task(holdout=None), source, tmp_path)
    train = read_split(tmp_path, "train")
    assert train.column_names == [*text_columns(task()), "label"] == ["sentence", "label"]
    assert texts(train) == (["b", "a", "b", "c"], None)
    assert sentences(train) == ["b", "a", "c"]


def test_further_validation_splits_keep_their_names(tmp_path: Path) -> None:
    """The splits are those of MNLI, with file names as on the Hugging Face hub."""
    source, folder = tmp_path / "glue", tmp_path / "prepared"
    folder.mkdir()
    parts = {"train-00000-of-00002": [0, 1], "train-00001-of-00002": [2, 3], "validation_matched-00000-of-00001": [4]}
    for name, numbers in {**parts, "validation_mismatched-00000-of-00001": [5, 6], "test-00000-of-00001": [7]}.items():
        write_rows(source / "mnli" / f"{name}.jsonl", [ROWS[number] for number in numbers])
    write_rows(source / "mnli_matched" / "validation-00000-of-00001.jsonl", ROWS[8:])
    settings = task(holdout=None, files="mnli/*", validation=["validation_matched", "validation_mismatched"])
    prepared = prepare_task("mnli", settings, source, folder)
    assert prepared.rows == {"train": 4, "validation": 1, "validation_mismatched": 2}
    assert validation_splits(folder) == ["validation", "validation_mismatched"]
    assert evaluation_sentences(folder) == ["Review 4", "Review 5", "Review 6"]


def test_a_folder_may_have_a_folder_for_each_split(tmp_path: Path) -> None:
    write_rows(tmp_path / "train" / "0000.jsonl", ROWS[:6])
    write_rows(tmp_path / "validation" / "0000.jsonl", ROWS[6:])
    assert prepare_task("mood", task(holdout=None), tmp_path, tmp_path).rows["train"] == 6


def test_splits_of_several_data_sets_are_not_mixed(tmp_path: Path) -> None:
    for name in ("cola", "sst2"):
        write_splits(tmp_path / name, train=ROWS[:6], validation=ROWS[6:])
    with pytest.raises(
        UserError, match=r"has train files in the folders cola, sst2; select one with tasks\.mood\.files"
    ):
        prepare_task("mood", task(holdout=None), tmp_path, tmp_path)
    assert prepare_task("mood", task(holdout=None, files="sst2/*"), tmp_path, tmp_path).rows["train"] == 6


def test_a_holdout_is_drawn_from_the_train_files_if_there_are_any(tmp_path: Path) -> None:
    source = write_splits(tmp_path / "films", train=ROWS[:6], test=ROWS[6:])
    assert prepare_task("mood", task(holdout=2), source, tmp_path).rows == {"train": 4, "validation": 2}


def test_train_rows_with_a_text_of_the_validation_data_are_removed(tmp_path: Path) -> None:
    shared = [{**ROWS[0]}, {**ROWS[1], "stars": 0}]  # the second has another label than in train
    source = write_splits(
        tmp_path / "films", train=[*ROWS, ROWS[0]], validation=[*shared, {"review": "new", "stars": 1}]
    )
    prepared = prepare_task("mood", task(holdout=None), source, tmp_path)
    assert (prepared.rows, prepared.duplicates) == ({"train": 8, "validation": 3}, 3)
    assert [row["sentence"] for row in rows_of(tmp_path, "train")] == [row["review"] for row in ROWS[2:]]


def test_train_data_equal_to_the_validation_data_is_rejected(tmp_path: Path) -> None:
    source = write_splits(tmp_path / "films", train=ROWS, validation=ROWS)
    with pytest.raises(UserError, match=r"^tasks\.mood: every text of train is also in validation$"):
        prepare_task("mood", task(holdout=None), source, tmp_path)


@pytest.mark.parametrize(
    ("train", "validation", "problem"),
    [
        ([0, 0, 1], [2], "train has no rows of class 'good' (validation has 1); it has bad 2, fair 1, good 0"),
        ([1, 1], [1], "train has no rows of class 'bad' (validation has 0); it has bad 0, fair 2, good 0"),
    ],
)
def test_a_class_without_train_rows_is_rejected(
    tmp_path: Path, train: list[int], validation: list[int], problem: str
) -> None:
    splits = {
        split: [{"review": f"{split} {number}", "stars": label} for number, label in enumerate(labels)]
        for split, labels in (("train", train), ("validation", validation))
    }
    with pytest.raises(UserError) as error:
        prepare_task(
            "mood",
            task(holdout=None, labels=["bad", "fair", "good"]),
            write_splits(tmp_path / "films", **splits),
            tmp_path,
        )
    assert str(error.value) == f"tasks.mood: {problem}"


def test_numbers_in_a_text_column_become_text_and_nan_becomes_null(tmp_path: Path) -> None:
    texts = pa.array([1.5, float("nan"), 2.5])
    pq.write_table(pa.table({"review": texts, "stars": [0, 1, 1]}), tmp_path / "train.parquet")
    write_rows(tmp_path / "validation.jsonl", [{"review": year, "stars": year % 2} for year in (1999, 2002)])
    folder = tmp_path / "prepared"
    folder.mkdir()
    prepare_task("mood", task(holdout=None), tmp_path, folder)
    assert [row["sentence"] for row in rows_of(folder, "train")] == ["1.5", None, "2.5"]
    assert [row["sentence"] for row in rows_of(folder, "validation")] == ["1999", "2002"]


def test_only_rows_that_match_are_used(tmp_path: Path) -> None:
    rows = [{**row, "site": "a" if number < 4 else "b"} for number, row in enumerate(ROWS)]
    folder = prepare(tmp_path, task(holdout=1, where={"site": "a"}), rows)
    used = [row["sentence"] for split in SPLITS for row in rows_of(folder, split)]
    assert sorted(used) == [f"Review {number}" for number in range(4)]


def test_a_condition_without_matching_rows_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^tasks\.mood: .*films\.jsonl has no rows where \{'review': 'none'\}$"):
        prepare(tmp_path, task(where={"review": "none"}))


@pytest.mark.parametrize("column", ["text", "label"])
def test_a_missing_column_is_rejected_with_the_existing_ones(tmp_path: Path, column: str) -> None:
    changed: dict[str, Any] = {"text": ["title"]} if column == "text" else {"label": "title"}
    with pytest.raises(UserError, match=r"films\.jsonl: has no column 'title'; it has review, stars$"):
        prepare(tmp_path, task(**changed))


@pytest.mark.parametrize("copy", ["cafe\u0301 is  good ", "Caf\u00e9 is good", "\u00a0CAF\u00c9 is\tgood"])
def test_the_same_text_written_differently_is_removed(tmp_path: Path, copy: str) -> None:
    source = write_splits(
        tmp_path / "films",
        train=[*ROWS, {"review": copy, "stars": 1}],
        validation=[{"review": "caf\u00e9 is good", "stars": 1}],
    )
    assert prepare_task("mood", task(holdout=None), source, tmp_path).duplicates == 1


def test_the_validation_splits_that_lack_a_class_are_reported(tmp_path: Path) -> None:
    source = write_splits(tmp_path, train=ROWS[:6], validation=[ROWS[6], ROWS[8]])
    assert prepare_task("mood", task(holdout=None), source, tmp_path).lacking == {"validation": ["good"]}


def test_labels_are_interpreted_over_all_splits(tmp_path: Path) -> None:
    """A validation file without 5+ has numbers only, which are no indices for that."""
    for split, labels in {"train": ["1", "2", "3", "5+"] * 2, "validation": ["1", "2", "3", "3"]}.items():
        lines = [f"{split} {number},{label}\n" for number, label in enumerate(labels)]
        (tmp_path / f"{split}.csv").write_text("review,stars\n" + "".join(lines))
    prepare_task("mood", task(holdout=None, labels=["1", "2", "3", "5+"]), tmp_path, tmp_path)
    assert [row["label"] for row in rows_of(tmp_path, "validation")] == [0, 1, 2, 2]


def test_each_row_knows_its_place_in_the_users_files(tmp_path: Path) -> None:
    rows = [{**row, "site": "ab"[number % 2]} for number, row in enumerate(ROWS)]
    folder = tmp_path / "prepared"
    folder.mkdir()
    source = write_rows(tmp_path / "films.jsonl", rows)
    scale = {"labels": None, "scale": [0, 1]}
    prepared = prepare_task("mood", task(holdout=2, where={"site": "b"}, **scale), source, folder)
    for split in SPLITS:
        for row, place in zip(rows_of(folder, split), prepared.places[split], strict=True):
            number = int(row["sentence"].removeprefix("Review "))
            assert str(place) == f"{source}, row {number} (line {number + 1})"
