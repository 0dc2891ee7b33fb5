"""The stage `masked_lm`, from the corpus to an asset with a masked language model."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML

from conftest import make_sentences
from pipelines.stages.masked_lm import main as masked_lm
from textbook.assets.fetch import fetch
from textbook.assets.manifest import list_files, locate
from textbook.corpus.merge import write_corpus
from textbook.files import remove
from textbook.params import Params, PathAsset
from textbook.textbooks.augmentation.candidates import load_masked_lm
from textbook.training.engine.log import read_history

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def params(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A new project with a corpus and an encoder."""
    monkeypatch.chdir(tmp_path)
    fetch(PathAsset(path=str(tiny_teacher)), Path("data/assets/tiny"))
    pq.write_table(pa.table({"sentence": make_sentences(50, seed=0)}), "sentences.parquet")
    write_corpus({"made_up": Path("sentences.parquet")}, Path("data/corpus"))
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    (settings,) = raw["assets"]["masked_lm"].values()
    raw["assets"]["masked_lm"] = {"filler": {**settings, "encoder": "tiny", "sentences": 40, "steps": 12, "batch": 8}}
    return Params.model_validate(raw)


def test_the_asset_is_a_masked_language_model_with_its_history(params: Params) -> None:
    masked_lm(params, "filler")
    folder = Path("data/assets/filler")
    lm = load_masked_lm(locate(folder), torch.device("cpu"))
    assert lm.tokenizer.mask_token == "[MASK]"
    assert {Path(name).name for name in list_files(folder)[1]} >= {"model.safetensors", "tokenizer.json"}
    assert [line["step"] for line in read_history(folder / "history.jsonl")] == [10, 12]
    assert not list(Path(".cache/work/masked_lm@filler").iterdir())


def test_after_a_crash_finished_training_is_not_repeated(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.masked_lm.write_manifest", fail)
        with pytest.raises(OSError, match="full"):
            masked_lm(params, "filler")
    assert not Path("data/assets/filler").exists()
    (checkpoints,) = Path(".cache/work/masked_lm@filler").glob("*/checkpoints")
    before = {path.name: path.stat().st_mtime_ns for path in checkpoints.iterdir()}

    def keep_work(path: Path) -> None:
        if path not in checkpoints.parents:
            remove(path)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.masked_lm.remove", keep_work)
        masked_lm(params, "filler")
    assert {path.name: path.stat().st_mtime_ns for path in checkpoints.iterdir()} == before
    assert locate(Path("data/assets/filler")).is_dir()
