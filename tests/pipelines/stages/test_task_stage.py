"""The stage `task`: mistakes in a user's data are reported on one line, and nothing is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from pipelines.paths import EXPECTATIONS, TASKS, VALIDATION_REPORTS
from pipelines.stages.task import main as task
from textbook.assets.fetch import fetch
from textbook.errors import UserError
from textbook.params import Params, PathAsset

ROOT = Path(__file__).parents[3]
TRAIN = [("good film", "yes"), ("bad film", "no"), ("fair film", "yes"), ("long film", "no")]
VALIDATE = [("warm film", "yes"), ("cold film", "no")]
Prepare = Callable[..., None]


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """A function that prepares the task `mood` in a new project, from given rows or from files that exist already."""
    monkeypatch.chdir(tmp_path)
    for path in ("task.yaml", "tasks"):
        (tmp_path / EXPECTATIONS).mkdir(parents=True, exist_ok=True)
        (tmp_path / EXPECTATIONS / path).symlink_to(ROOT / EXPECTATIONS / path)
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    (tmp_path / "films").mkdir()

    def run(train: list[tuple[Any, Any]] = TRAIN, validation: list[tuple[Any, Any]] = VALIDATE, **changes: Any) -> None:
        for split, rows in {"train": train, "validation": validation}.items():
            if not list(Path("films").glob(f"{split}.*")):
                texts, labels = zip(*rows, strict=True)
                pq.write_table(pa.table({"review": texts, "liked": labels}), f"films/{split}.parquet")
        fetch(PathAsset(path="films"), Path("data/assets/films"))
        about = {"asset": "films", "text": ["review"], "label": "liked", "labels": ["no", "yes"], **changes}
        about = {key: value for key, value in about.items() if value is not None}
        task(Params.model_validate({**raw, "tasks": {"mood": about}}), "mood")

    return run


def refused(prepare: Prepare, *rows: list[tuple[Any, Any]], **changes: Any) -> str:
    with pytest.raises(UserError) as error:
        prepare(*rows, **changes)
    assert not list(TASKS.iterdir()), "there is a partial output"
    message = str(error.value)
    assert "\n" not in message
    return message


def test_valid_data_are_written_with_a_report(prepare: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    prepare()
    assert {path.name for path in (TASKS / "mood").iterdir()} == {"train.parquet", "validation.parquet"}
    assert (VALIDATION_REPORTS / "task-mood.html").is_file()
    assert "mood: 4 training rows, 2 validation rows; 0 training rows left out" in capsys.readouterr().out


def test_test_rows_are_checked_and_counted(prepare: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("", "new film"):
        rows = {"review": [text, "old film", TRAIN[0][0]], "liked": ["yes", "no", "no"]}
        pq.write_table(pa.table(rows), "films/secret.parquet")
        if not text:
            message = refused(prepare, test="secret")
            assert message.startswith("Task mood, final-test.parquet: fails expect_column_values_to_match_regex ")
            assert "films/secret.parquet, row 0" in message
    prepare(test="secret")
    names = {"train.parquet", "validation.parquet", "final-test.parquet"}
    assert {path.name for path in (TASKS / "mood").iterdir()} == names
    assert (
        "mood: 3 training rows, 2 validation rows, 3 test rows; 1 training rows left out because their text is also"
        " in the validation or test data\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        (None, "expect_column_values_to_not_be_null"),
        ("", "expect_column_values_to_match_regex"),
        (" \t", "expect_column_values_to_match_regex"),
    ],
)
def test_empty_text_is_refused_with_its_row(prepare: Prepare, text: str | None, expectation: str) -> None:
    message = refused(prepare, [*TRAIN, (text, "yes")])
    assert message.startswith(f"Task mood, train.parquet: fails {expectation} ")
    assert "row 4: {'sentence': " in message


def test_nan_in_a_text_column_is_a_missing_text(prepare: Prepare) -> None:
    message = refused(prepare, [(1.5, "yes"), (float("nan"), "no"), (2.5, "no")], [(3.0, "yes"), (4.0, "no")])
    assert "train.parquet: fails expect_column_values_to_not_be_null" in message
    assert "row 1: " in message


def test_a_class_without_training_rows_is_refused(prepare: Prepare) -> None:
    message = refused(prepare, TRAIN, [*VALIDATE, ("odd film", "maybe")], labels=["no", "yes", "maybe"])
    assert message == "tasks.mood: train has no rows of class 'maybe' (validation has 1); it has no 2, yes 2, maybe 0"


def test_a_single_class_is_refused(prepare: Prepare) -> None:
    message = refused(prepare, [(text, "no") for text, _ in TRAIN])
    assert message == "tasks.mood: train has no rows of class 'yes' (validation has 1); it has no 4, yes 0"


def test_a_single_class_in_validation_is_refused(prepare: Prepare) -> None:
    message = refused(prepare, TRAIN, [(text, "no") for text, _ in VALIDATE])
    assert message.startswith("Task mood, validation.parquet: fails expect_column_unique_value_count_to_be_between")


def test_a_fraction_is_not_a_class(prepare: Prepare) -> None:
    message = refused(prepare, [("good film", 1.0), ("bad film", 0.5)])
    assert message.endswith("films/train.parquet, row 1: label 0.5 is not one of no, yes or 0 to 1")


def test_a_word_is_not_a_number(prepare: Prepare) -> None:
    message = refused(prepare, labels=None, scale=[0, 5])
    assert message.endswith("films/train.parquet, row 0: label 'yes' is not a number from 0 to 5")


def test_training_rows_with_validation_texts_are_left_out_and_counted(
    prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare([*TRAIN, VALIDATE[0], (VALIDATE[1][0], "yes")])
    assert "mood: 4 training rows, 2 validation rows; 2 training rows left out" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["text", "label"])
def test_a_missing_column_is_named_with_the_existing_ones(prepare: Prepare, key: str) -> None:
    message = refused(prepare, **{key: ["titel"] if key == "text" else "titel"})
    assert message.endswith("films/train.parquet: has no column 'titel'; it has review, liked")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_all_formats_give_the_same_task(prepare: Prepare, suffix: str) -> None:
    for split, rows in {"train": TRAIN, "validation": VALIDATE}.items():
        lines = [json.dumps({"review": text, "liked": label}) for text, label in rows]
        if suffix != ".jsonl":
            separator = "," if suffix == ".csv" else "\t"
            lines = [separator.join(row) for row in [("review", "liked"), *rows]]
        Path(f"films/{split}{suffix}").write_text("\n".join(lines) + "\n")
    prepare()
    written = pq.read_table(TASKS / "mood" / "train.parquet").to_pylist()
    assert written == [{"sentence": text, "label": int(label == "yes")} for text, label in TRAIN]
