"""The test split of a task, which selects nothing and is in no textbook."""

import json
from pathlib import Path
from typing import Any

import pytest

from textbook.errors import UserError
from textbook.params import Task
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import TEST, evaluation_sentences, evaluation_splits, read_split, validation_splits

ROWS = [{"review": f"Review {number}", "stars": number % 2} for number in range(20)]


def prepare(tmp_path: Path, splits: dict[str, list[dict[str, Any]]], **changes: Any) -> tuple[dict[str, int], Path]:
    """Prepare a task, and return the number of rows of each split and the folder."""
    source = tmp_path / "films"
    source.mkdir(exist_ok=True)
    for split, rows in splits.items():
        (source / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = tmp_path / "prepared" / "-".join(map(str, changes.values()))
    folder.mkdir(parents=True)
    task = Task(asset="films", text=["review"], label="stars", labels=["bad", "good"], **changes)
    return prepare_task("mood", task, source, folder).rows, folder


def texts_of(folder: Path, split: str) -> list[str]:
    texts: list[str] = read_split(folder, split)["sentence"].to_pylist()
    return texts


def test_the_test_rows_are_in_no_validation_split_and_in_no_textbook(tmp_path: Path) -> None:
    """A further validation split may be called `test` nevertheless."""
    splits = {"train": ROWS[:10], "validation": ROWS[10:14], "test": ROWS[14:16], "secret": [*ROWS[16:], ROWS[0]]}
    rows, folder = prepare(tmp_path, splits, validation=["validation", "test"], test="secret")
    assert rows == {"train": 9, "validation": 4, "test": 2, TEST: 5}  # the text of the first row is also in `secret`
    assert validation_splits(folder) == ["validation", "test"]
    assert evaluation_splits(folder) == ["validation", "test", TEST]
    assert evaluation_sentences(folder) == [row["review"] for row in [*ROWS[10:], ROWS[0]]]


def test_test_rows_are_held_out_beside_the_validation_rows_which_stay_the_same(tmp_path: Path) -> None:
    without, folder = prepare(tmp_path, {"train": ROWS}, holdout=5)
    validation = texts_of(folder, "validation")
    assert without == {"train": 15, "validation": 5}
    for test, count in ((3, 3), (0.2, 3)):  # a share of the 15 rows that are left
        rows, folder = prepare(tmp_path, {"train": ROWS}, holdout=5, test=test)
        assert rows == {"train": 15 - count, "validation": 5, TEST: count}
        assert texts_of(folder, "validation") == validation
        everything = [text for split in rows for text in texts_of(folder, split)]
        assert sorted(everything) == sorted(row["review"] for row in ROWS)


def test_test_rows_are_held_out_of_the_training_files(tmp_path: Path) -> None:
    rows, folder = prepare(tmp_path, {"train": ROWS[:15], "validation": ROWS[15:]}, test=4)
    assert rows == {"train": 11, "validation": 5, TEST: 4}
    assert set(texts_of(folder, TEST)) < {row["review"] for row in ROWS[:15]}


def test_files_for_the_test_are_not_read_as_training_data(tmp_path: Path) -> None:
    splits = {"part1": ROWS[:8], "part2": ROWS[8:16], "test": ROWS[16:]}
    rows, folder = prepare(tmp_path, splits, holdout=4, test="test")
    assert rows == {"train": 12, "validation": 4, TEST: 4}
    assert texts_of(folder, TEST) == [row["review"] for row in ROWS[16:]]


def test_a_missing_test_file_and_too_many_test_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^tasks\.mood\.test: \S+ has no test file; add one, or give a number of rows$"
    ):
        prepare(tmp_path, {"train": ROWS}, holdout=5, test="test")
    with pytest.raises(UserError, match=r"^tasks\.mood\.test = 15: must be less than its 15 rows$"):
        prepare(tmp_path, {"train": ROWS}, holdout=5, test=15)
