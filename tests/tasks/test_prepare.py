"""A labelled task in the common form."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.errors import UserError
from textbook.params import Task
from textbook.tasks.prepare import SPLITS, prepare_task, read_split, sentences, text_columns, texts

Rows = list[dict[str, Any]]

ROWS: Rows = [{"review": f"Review {number}", "stars": number % 2} for number in range(10)]


def task(**changes: Any) -> Task:
    single = {"asset": "films", "text": ["review"], "label": "stars", "labels": ["bad", "good"], "holdout": 3}
    return Task(**{**single, **changes})


def write(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prepare(tmp_path: Path, settings: Task, rows: Rows | None = None) -> Path:
    folder = tmp_path / "prepared"
    folder.mkdir(exist_ok=True)
    prepare_task("mood", settings, write(tmp_path / "films.jsonl", ROWS if rows is None else rows), folder)
    return folder


def rows_of(folder: Path, split: str) -> Rows:
    return list(read_split(folder, split).to_pylist())


@pytest.mark.parametrize(
    ("labels", "values", "numbers"),
    [
        (["bad", "good"], ["good", "bad", "good"], [1, 0, 1]),
        (["bad", "good"], [1, 0, 1], [1, 0, 1]),
        (["bad", "good"], [1.0, 0.0, 1.0], [1, 0, 1]),
        (["0", "1"], [1, 0, 1], [1, 0, 1]),
        (["1", "2", "3"], [1, 3, 2], [0, 2, 1]),  # names that are numbers are meant as names
        (["1", "2", "3"], ["1", "3", "2"], [0, 2, 1]),
        (["1", "0"], [1, 0, 1], [0, 1, 0]),
    ],
)
def test_labels_become_the_numbers_of_their_classes(
    tmp_path: Path, labels: list[str], values: list[Any], numbers: list[int]
) -> None:
    rows = [{"review": str(number), "stars": value} for number, value in enumerate(values)]
    folder = prepare(tmp_path, task(labels=labels, holdout=1), rows)
    by_review = {row["sentence"]: row["label"] for split in SPLITS for row in rows_of(folder, split)}
    assert [by_review[row["review"]] for row in rows] == numbers
    assert pq.read_schema(folder / "train.parquet").field("label").type == "int64"


@pytest.mark.parametrize(
    ("labels", "value", "allowed"),
    [
        (["bad", "good"], "fair", "'fair' is not one of bad, good or 0 to 1"),
        (["bad", "good"], 2, "2 is not one of bad, good or 0 to 1"),
        (["bad", "good"], -1, "-1 is not one of bad, good or 0 to 1"),
        (["bad", "good"], None, "None is not one of bad, good or 0 to 1"),
        (["bad", "good"], 0.5, "0.5 is not one of bad, good or 0 to 1"),
        (["1", "2"], 0, "0 is not one of 1, 2"),
    ],
)
def test_an_unknown_label_is_refused_with_its_row(
    tmp_path: Path, labels: list[str], value: object, allowed: str
) -> None:
    rows = [{"review": "x", "stars": 1}, {"review": "y", "stars": value}]
    if isinstance(value, str):
        rows[0]["stars"] = "good"
    with pytest.raises(UserError) as error:
        prepare(tmp_path, task(labels=labels), rows)
    assert str(error.value) == f"tasks.mood: {tmp_path}/films.jsonl, row 1: label {allowed}"


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.data())
def test_the_holdout_and_the_rest_are_all_rows_each_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, size: int, data: st.DataObject
) -> None:
    holdout = data.draw(st.integers(1, size - 1))
    rows = [{"review": f"{number:02}", "stars": number % 2} for number in range(size)]
    folder = prepare(tmp_path_factory.mktemp("task"), task(holdout=holdout), rows)
    train, validation = rows_of(folder, "train"), rows_of(folder, "validation")
    assert len(validation) == holdout
    numbers = [int(row["sentence"]) for row in [*train, *validation]]
    assert sorted(numbers) == list(range(size))
    assert numbers[:-holdout] == sorted(numbers[:-holdout])
    assert numbers[-holdout:] == sorted(numbers[-holdout:])
    assert all(row["label"] == int(row["sentence"]) % 2 for row in [*train, *validation]), "labels left their rows"


def test_the_holdout_depends_on_the_seed_alone(tmp_path: Path) -> None:
    held = [rows_of(prepare(tmp_path, task(seed=seed)), "validation") for seed in (0, 0, 1)]
    assert held[0] == held[1]
    assert held[0] != held[2]


def test_a_holdout_that_leaves_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^tasks\.mood\.holdout = 10: must be less than its 10 rows$"):
        prepare(tmp_path, task(holdout=10))


def test_without_a_holdout_the_splits_are_the_files_of_those_names(tmp_path: Path) -> None:
    source, folder = tmp_path / "films", tmp_path / "prepared"
    folder.mkdir()
    for split, rows in {"train": ROWS[:6], "validation": ROWS[6:9], "test": ROWS[9:]}.items():
        write(source / f"{split}.jsonl", rows)
    assert prepare_task("mood", task(holdout=None), source, folder) == {"train": 6, "validation": 3}
    assert [row["sentence"] for row in rows_of(folder, "validation")] == ["Review 6", "Review 7", "Review 8"]


@pytest.mark.parametrize("names", [["train.jsonl"], ["all.jsonl"]])
def test_missing_validation_data_is_refused_with_the_remedy(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        write(tmp_path / "films" / name, ROWS)
    split = "validation" if "train.jsonl" in names else "train"
    remedy = f"has no {split} file; add one, or set tasks.mood.holdout"
    with pytest.raises(UserError, match=rf"^tasks\.mood: {tmp_path}/films {remedy}$"):
        prepare_task("mood", task(holdout=None), tmp_path / "films", tmp_path)


def test_a_single_file_needs_a_holdout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"films\.jsonl has no train file; add one, or set tasks\.mood\.holdout$"):
        prepare(tmp_path, task(holdout=None))


def test_pairs_have_two_columns_and_each_of_their_sentences_is_an_anchor_once(tmp_path: Path) -> None:
    settings = task(text=["left", "right"], holdout=1)
    rows = [{"left": "A", "right": "B", "stars": 0}, {"left": "B", "right": "A", "stars": 1}]
    folder = prepare(tmp_path, settings, [*rows, *rows])
    train = read_split(folder, "train")
    assert train.column_names == [*text_columns(settings), "label"] == ["sentence1", "sentence2", "label"]
    first, second = texts(train)
    assert second is not None
    assert sorted({*zip(first, second, strict=True)}) == [("A", "B"), ("B", "A")]
    assert sorted(sentences(train)) == ["A", "B"]


def test_single_sentences_have_one_column_and_each_is_an_anchor_once(tmp_path: Path) -> None:
    rows = [{"review": review, "stars": 1} for review in ("b", "a", "b", "c")]
    folder = tmp_path / "films"
    for split in SPLITS:
        write(folder / f"{split}.jsonl", rows)
    prepare_task("mood", task(holdout=None), folder, tmp_path)
    train = read_split(tmp_path, "train")
    assert train.column_names == [*text_columns(task()), "label"] == ["sentence", "label"]
    assert texts(train) == (["b", "a", "b", "c"], None)
    assert sentences(train) == ["b", "a", "c"]


def test_numbers_in_a_text_column_are_text(tmp_path: Path) -> None:
    folder = prepare(tmp_path, task(holdout=1), [{"review": year, "stars": 1} for year in (1999, 2001)])
    years = [row["sentence"] for split in SPLITS for row in rows_of(folder, split)]
    assert sorted(years) == ["1999", "2001"]


def test_only_rows_that_match_are_used(tmp_path: Path) -> None:
    rows = [{**row, "site": "a" if number < 4 else "b"} for number, row in enumerate(ROWS)]
    folder = prepare(tmp_path, task(holdout=1, where={"site": "a"}), rows)
    used = [row["sentence"] for split in SPLITS for row in rows_of(folder, split)]
    assert sorted(used) == [f"Review {number}" for number in range(4)]


def test_a_condition_that_nothing_matches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^tasks\.mood: .*films\.jsonl has no rows where \{'review': 'none'\}$"):
        prepare(tmp_path, task(where={"review": "none"}))


@pytest.mark.parametrize("column", ["text", "label"])
def test_a_missing_column_is_refused_with_those_that_are_there(tmp_path: Path, column: str) -> None:
    changed: dict[str, Any] = {"text": ["title"]} if column == "text" else {"label": "title"}
    with pytest.raises(UserError, match=r"films\.jsonl: has no column 'title'; it has review, stars$"):
        prepare(tmp_path, task(**changed))
