"""The stage `augmented`, from assets to a checked textbook that distillation can read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from conftest import make_meals
from pipelines.stages.augmented import main as augmented
from textbook.assets.fetch import fetch
from textbook.errors import UserError
from textbook.models.encoder import load_tokenizer
from textbook.params import Params, PathAsset
from textbook.params_file import load_params
from textbook.textbooks.book import PAIR_SCHEMA, SCHEMA, read_book
from textbook.training.engine.tokens import tokenize

ROOT = Path(__file__).parents[3]
BOOK = {
    "masked_lm": "lm",
    "vectors": "vectors",
    "varied": None,
    "variants": 4,
    "probability": 0.4,
    "candidates": 5,
    "batch": 16,
    "seed": 0,
}


@pytest.fixture
def params(masked_lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A new project with both assets, a task of sentences and a task of pairs."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "pipelines" / "expectations", "pipelines/expectations")
    Path("glove.txt").write_text("catish 1 0\ndoglet 0.9 0.1\n")
    fetch(PathAsset(path=str(masked_lm)), Path("data/assets/lm"))
    fetch(PathAsset(path="glove.txt"), Path("data/assets/vectors"))
    texts = make_meals(40, seed=0)
    tables = {
        "mood": {"sentence": texts, "label": [0, 1] * 20},
        "match": {"sentence1": texts, "sentence2": texts[::-1], "label": [0, 1] * 20},
    }
    for task, columns in tables.items():
        folder = Path("data/tasks", task)
        folder.mkdir(parents=True)
        pq.write_table(pa.table(columns).slice(5), folder / "train.parquet")
        pq.write_table(pa.table(columns).slice(0, 5), folder / "validation.parquet")
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    raw["textbooks"]["augmented"] = {"mood": BOOK, "match": BOOK}
    raw["tasks"] = dict.fromkeys(("mood", "match"), raw["tasks"]["rotten_tomatoes"])
    raw["assets"]["path"] = {"lm": {"path": str(masked_lm)}, "vectors": {"path": "glove.txt"}}
    YAML(typ="safe", pure=True).dump(raw, Path("params.yaml"))
    return load_params()


@pytest.mark.parametrize(("task", "schema"), [("mood", SCHEMA), ("match", PAIR_SCHEMA)])
def test_the_textbook_is_checked_and_counted_and_can_be_tokenized(
    params: Params, masked_lm: Path, task: str, schema: pa.Schema
) -> None:
    augmented(params, task)
    path = Path("data/textbooks", task, "augmented.parquet")
    assert pq.read_schema(path).equals(schema)
    counts = json.loads(path.with_suffix(".json").read_text())
    assert counts["sentences"] == pq.read_metadata(path).num_rows > 100
    assert "0 failed" in Path(f"reports/validation/textbook-{task}-augmented.html").read_text()
    tokenizer = load_tokenizer(masked_lm)
    first, second = read_book(path)
    tokens = tokenize(tokenizer, first, second, 64)
    assert (second is None) == (task == "mood")
    assert tokens.ids[: tokens.offsets[1]].tolist() == tokenizer(first[0], second and second[0])["input_ids"]


def test_a_textbook_that_fails_validation_is_not_written(params: Params) -> None:
    suite = Path("pipelines/expectations/augmented.yaml")
    suite.write_text("- {type: expect_table_row_count_to_be_between, kwargs: {max_value: 1}}\n")
    with pytest.raises(UserError, match=r"^Augmented textbook of mood, augmented\.parquet: fails"):
        augmented(params, "mood")
    assert list(Path("data/textbooks/mood").iterdir()) == []


@pytest.mark.slow
def test_after_kills_the_stage_resumes_to_the_same_textbook(params: Params) -> None:
    script, kills, chunks = Path(__file__).with_name("killed_augment.py"), 6, 35
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.run(
        [sys.executable, script, "match", str(kills)], capture_output=True, text=True, env=environment
    )
    assert process.returncode == 0, process.stderr[-2000:]
    assert Path("data/textbooks/match/augmented.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    calls = len(Path("calls").read_text().splitlines())
    assert 2 * chunks <= calls <= 2 * chunks + kills, "a finished chunk was looked up again"
    assert list(Path(".cache/work/augmented@match").iterdir()) == []
