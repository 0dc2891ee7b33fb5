"""What files say of the sizes of a run before it starts."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_params import AUGMENTED, MASKED_LM, write_params

from pipelines.planning.facts import read_facts
from textbook.params_file import load_params
from textbook.plan.sizes import Facts, Rows, Shape

TEXTS = [f"This text has the number {number:04}." for number in range(1000)]
BYTES = sum(map(len, TEXTS))
BERT = {
    "model_type": "bert",
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "vocab_size": 500,
    "max_position_embeddings": 64,
}
SHAPE = Shape(2, 32, 64, 500, "bert", 64)
SOURCES = {"news": {"asset": "text", "column": "body"}}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models/encoder").mkdir(parents=True)
    Path("models/encoder/config.json").write_text(json.dumps(BERT))


def facts(changes: dict[str, Any], sizes: dict[str, float] | None = None) -> Facts:
    """The facts for the toy parameters with some changes; the asset `text` is the folder `text`."""
    paths = {"encoder": {"path": "models/encoder"}, "text": {"path": "text"}}
    return read_facts(load_params(write_params(Path(), {"assets.path": paths, **changes})), sizes or {})


def task(**values: Any) -> dict[str, Any]:
    """The tasks of the parameters: one over single texts in the asset `text`."""
    own = {"asset": "text", "text": ["body"], "label": "label", "labels": ["no", "yes"], **values}
    return {"tasks": {"mood": own}}


def write_csv(path: str, count: int, **columns: str) -> None:
    """Write a table of texts, with further columns of one value each."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(["body", "label", *columns])]
    lines += [",".join([text, "yes", *columns.values()]) for text in TEXTS[:count]]
    Path(path).write_text("\n".join(lines) + "\n")


def test_the_text_of_a_source_is_that_of_its_column_in_parquet_and_otherwise_the_whole_file() -> None:
    Path("text").mkdir()
    table = pa.table({"body": TEXTS, "other": [text * 9 for text in TEXTS]})
    pq.write_table(table, "text/a.parquet", use_dictionary=False, compression="zstd")
    read = facts({"corpus.sources": SOURCES})
    assert read.sources["news"] == pytest.approx(BYTES, rel=0.01)
    Path("text/b.jsonl").write_text("x" * 5000)
    with gzip.open("text/c.jsonl.gz", "wb") as file:
        file.write(bytes(range(256)) * 40)
    packed = Path("text/c.jsonl.gz").stat().st_size
    read = facts({"corpus.sources": SOURCES})
    assert read.sources["news"] == pytest.approx(BYTES + 5000 + 3 * packed, rel=0.01)
    only = {"news": {**SOURCES["news"], "files": "*.jsonl"}}
    assert facts({"corpus.sources": only}).sources["news"] == 5000


def test_what_is_not_there_has_the_size_that_was_noted_or_none() -> None:
    assert facts({"corpus.sources": SOURCES}).sources["news"] is None
    noted = {"data/assets/films": 7e6, "data/tasks/mood": 47e4}
    read = facts({"corpus.sources": {"news": {"asset": "films"}}}, noted)
    assert read.sources["news"] == 7e6
    assert read.assets["films"] == 7e6
    assert read.tasks["match"] is None
    mood = read.tasks["mood"]
    assert mood
    assert mood.validation == 10
    assert (mood.train + mood.validation) * mood.row_bytes == pytest.approx(1e6)


def test_rows_are_counted_in_the_files_of_the_splits() -> None:
    write_csv("text/train.csv", 900)
    write_csv("text/validation.csv", 100)
    length = len(TEXTS[0])
    assert facts(task()).tasks["mood"] == Rows(900, 100, length)


def test_a_hold_out_and_a_condition_are_taken_off() -> None:
    write_csv("text/all.csv", 1000, source="films")
    write_csv("text/more.csv", 500, source="books")
    read = facts(task(holdout=0.1, where={"source": "films"}))
    assert read.tasks["mood"] == Rows(900, 100, len(TEXTS[0]))
    assert facts(task(holdout=50)).tasks["mood"] == Rows(1450, 50, len(TEXTS[0]))


def test_a_prepared_task_counts_if_it_is_that_of_the_parameters() -> None:
    write_csv("text/all.csv", 1000)
    Path("data/tasks/mood").mkdir(parents=True)
    for split, count in (("train", 700), ("validation", 200)):
        table = pa.table({"sentence": TEXTS[:count]})
        pq.write_table(table, f"data/tasks/mood/{split}.parquet", use_dictionary=False)
    prepared = facts(task(holdout=100), {"data/tasks/mood": 1000.0}).tasks["mood"]
    assert prepared
    assert (prepared.train, prepared.validation) == (700, 200)
    assert prepared.row_bytes == pytest.approx(len(TEXTS[0]), rel=0.05)
    changed = facts(task(holdout=100)).tasks["mood"]
    assert changed
    assert changed.train == 900


def test_a_table_that_cannot_be_read_is_not_known() -> None:
    Path("text").mkdir()
    Path("text/all.csv").write_text("body,label\nonly one field\n")
    assert facts(task(holdout=100)).tasks["mood"] is None
    Path("text/a.parquet").write_bytes(b"no Parquet")
    assert facts({"corpus.sources": SOURCES}).sources["news"] is None


def test_the_shape_of_an_encoder_is_in_its_folder() -> None:
    assert facts({}).encoders == {"encoder": SHAPE}
    Path("models/encoder/config.json").write_text("{}")
    assert facts({}).encoders == {"encoder": None}


def test_a_masked_language_model_has_the_shape_of_what_it_is_trained_from() -> None:
    trained = {"assets.masked_lm": {"filler": MASKED_LM}}
    own = {"textbooks.augmented": {"mood": {**AUGMENTED, "masked_lm": "filler"}}}
    assert facts({**trained, **own}).encoders == {"encoder": SHAPE, "filler": SHAPE}


def test_an_encoder_that_is_not_fetched_yet_is_guessed_by_its_size() -> None:
    asset = {"teacher.asset": "films", "student.hidden": 192}
    guessed = facts(asset, {"data/assets/films": 91.6e6}).encoders["films"]
    assert guessed
    assert (guessed.num_hidden_layers, guessed.hidden_size) == (6, 384)
    assert facts(asset).encoders["films"] is None
