"""The stages of data sets: what makes them run, and how a source of the corpus is streamed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from ruamel.yaml import YAML
from toy_project import Project, make_project

from pipelines.stages import dataset, folder, sentences
from textbook.corpus.sentences import sentence_shards
from textbook.errors import UserError
from textbook.files import read_json
from textbook.params import Params

ROOT = Path(__file__).parents[3]


def write_params(asset: dict[str, Any], **source: Any) -> Params:
    """Parameters with one data set, which is the only source of the corpus."""
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    raw["assets"]["dataset"] = {"news": asset}
    raw["corpus"]["sources"] = {"web": {"asset": "news", **source}}
    return Params.model_validate(raw)


def save(path: str, *numbers: int, shards: int = 1) -> None:
    texts = [f"The sentence number {number} is here. And here is its end." for number in numbers]
    Dataset.from_dict({"body": texts, "topic": [n % 2 for n in numbers]}).save_to_disk(path, num_shards=shards)


def split_all(params: Params) -> list[str]:
    """Run the stages from the folder to the sentences; return the sentences."""
    folder.main(params, "news")
    dataset.main(params, "news")
    sentences.main(params, "web")
    shards = sentence_shards(Path("data/sentences/web"))
    return [text for path in shards for text in pq.read_table(path)["sentence"].to_pylist()]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the stages."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_streamed_and_stored_data_sets_give_the_same_sentences(project: Path) -> None:
    save("saved", *range(20), shards=3)
    source = {"column": "body", "where": {"topic": 1}}
    stored = split_all(write_params({"name": "saved"}, **source))
    assert stored[:2] == ["The sentence number 1 is here.", "And here is its end."]
    assert len(stored) == 20
    streamed = write_params({"name": "saved", "stream": True}, **source)
    assert split_all(streamed) == stored
    assert [path.name for path in Path("data/assets/news").iterdir()] == ["asset.json"]


def test_a_shard_that_is_done_is_not_read_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save("saved", *range(20), shards=2)
    params = write_params({"name": "saved", "stream": True}, column="body")
    first = split_all(params)
    work = Path(".cache/sentences/web")
    work.parent.mkdir(parents=True, exist_ok=True)
    Path("data/sentences/web").rename(work)
    monkeypatch.setattr("textbook.corpus.sentences.read_dataset", None)
    assert split_all(params) == first


def test_the_folder_stage_notes_content_and_not_time(project: Path) -> None:
    save("saved", 1, 2)
    local = write_params({"name": "saved"})
    hub = write_params({"name": "someone/news", "revision": "a" * 40})
    noted = []
    for _ in range(2):
        folder.main(local, "news")
        noted.append(read_json(Path("data/folders/news.json")))
        for path in Path("saved").iterdir():
            path.touch()
    assert noted[0] == noted[1]
    assert set(noted[0]) == {"data-00000-of-00001.arrow", "dataset_info.json", "state.json"}
    save("other", 1, 3)
    folder.main(write_params({"name": "other"}), "news")
    assert read_json(Path("data/folders/news.json")) != noted[0]
    folder.main(hub, "news")
    assert read_json(Path("data/folders/news.json")) == {}


def test_a_changed_file_stops_the_sentences(project: Path) -> None:
    save("saved", *range(4))
    split_all(write_params({"name": "saved", "stream": True}, column="body"))
    save("new", *range(5))
    Path("saved").rename("old")
    Path("new").rename("saved")
    with pytest.raises(UserError, match="has changed since the asset news was fetched; run `dvc repro`"):
        sentences.main(write_params({"name": "saved", "stream": True}, column="body"), "web")


@pytest.mark.slow
def test_dvc_fetches_a_changed_folder_again(tiny_teacher: Path, project: Path) -> None:
    toy: Project = make_project(project / "toy", tiny_teacher)
    toy.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    (toy.folder / "beside").mkdir()
    save(str(toy.folder / "beside" / "saved"), *range(4))
    toy.change(assets__dataset={"news": {"name": "beside/saved"}})

    def repro() -> set[str]:
        done = toy.run("dvc", "repro", "dataset@news")
        assert done.returncode == 0, done.stdout + done.stderr
        return {name for name in ("folder@news", "dataset@news") if f"Running stage '{name}'" in done.stdout}

    assert repro() == {"folder@news", "dataset@news"}
    assert repro() == {"folder@news"}
    save(str(toy.folder / "beside" / "new"), *range(5))
    subprocess.run("rm -r saved && mv new saved", shell=True, cwd=toy.folder / "beside", check=True)
    assert repro() == {"folder@news", "dataset@news"}
    assert pq.read_metadata(toy.folder / "data/assets/news/files/train.parquet").num_rows == 5
