"""The stage `masked_lm@…`: from the corpus to an asset that fills masked words."""

from pathlib import Path
from shutil import rmtree as remove
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML

from conftest import make_sentences
from pipelines.masked_lm import masked_lm
from textbook.assets import fetch, list_files, locate
from textbook.corpus.shards import write_corpus
from textbook.params import Params, PathAsset
from textbook.textbooks.candidates import load_masked_lm
from textbook.training.log import read_history

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A project of its own with a corpus and an encoder."""
    monkeypatch.chdir(tmp_path)
    fetch(PathAsset(path=str(tiny_teacher)), Path("data/assets/tiny"))
    pq.write_table(pa.table({"sentence": make_sentences(50, seed=0)}), "sentences.parquet")
    write_corpus({"made_up": Path("sentences.parquet")}, Path("data/corpus"))
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    (made,) = raw["assets"]["masked_lm"].values()
    raw["assets"]["masked_lm"] = {"filler": {**made, "encoder": "tiny", "sentences": 40, "steps": 12, "batch": 8}}
    return Params.model_validate(raw)


def test_the_asset_is_a_masked_language_model_with_its_history(params: Params) -> None:
    masked_lm(params, "filler")
    folder = Path("data/assets/filler")
    lm = load_masked_lm(locate(folder), torch.device("cpu"))
    assert lm.tokenizer.mask_token == "[MASK]"
    assert {Path(name).name for name in list_files(folder)[1]} >= {"model.safetensors", "tokenizer.json"}
    assert [line["step"] for line in read_history(folder / "history.jsonl")] == [10, 12]
    assert not list(Path(".cache/masked_lm").iterdir())


def test_what_was_trained_before_a_crash_is_not_trained_again(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.masked_lm.write_manifest", fail)
        with pytest.raises(OSError, match="full"):
            masked_lm(params, "filler")
    assert not Path("data/assets/filler").exists()
    (checkpoints,) = Path(".cache/masked_lm").glob("*/checkpoints")
    before = {path.name: path.stat().st_mtime_ns for path in checkpoints.iterdir()}

    def keep_work(path: str | Path, **how: Any) -> None:
        if path not in checkpoints.parents:
            remove(path, **how)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.masked_lm.shutil.rmtree", keep_work)
        masked_lm(params, "filler")
    assert {path.name: path.stat().st_mtime_ns for path in checkpoints.iterdir()} == before
    assert locate(Path("data/assets/filler")).is_dir()
