"""A source of the corpus at a URL, from the stage that notes its files to its sentences."""

import os
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from toy_project import make_project, ran

from pipelines.stages import asset, sentences, url
from textbook.corpus.sentences import sentence_shards
from textbook.errors import UserError
from textbook.files import hash_folder, read_json
from textbook.params import Params

ROOT = Path(__file__).parents[3]


def write_params(kind: str, location: dict[str, Any]) -> Params:
    """Parameters with one asset, which is the only source of the corpus."""
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    raw["assets"][kind] = {"news": location}
    raw["corpus"]["sources"] = {"web": {"asset": "news", "files": "*.txt"}}
    return Params.model_validate(raw)


def sentences_of(params: Params) -> list[str]:
    sentences.main(params, "web")
    shards = sentence_shards(Path("data/sentences/web"))
    return [text for path in shards for text in pq.read_table(path)["sentence"].to_pylist()]


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with text, seen as a URL. The stages run beside it."""
    folder = tmp_path / "remote"
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"A sentence of {name} is here. And here is its end.\n" * 3)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return folder


def test_the_sentences_are_those_of_the_same_files_here(remote: Path) -> None:
    asset.main(write_params("path", {"path": str(remote)}), "path", "news")
    local = sentences_of(write_params("path", {"path": str(remote)}))
    params = write_params("url", {"url": remote.as_uri()})
    url.main(params, "news")
    assert sentences_of(params) == local
    assert len(local) == 18
    assert [path.name for path in Path("data/assets/news").iterdir()] == ["asset.json"]


def test_the_stage_notes_versions_so_its_output_changes_with_a_file(remote: Path) -> None:
    params = write_params("url", {"url": remote.as_uri()})
    url.main(params, "news")
    before = hash_folder(Path("data/assets/news"))
    url.main(params, "news")
    assert hash_folder(Path("data/assets/news")) == before
    (remote / "b.txt").write_text("Another sentence is in the file now.\n")
    with pytest.raises(UserError, match=r"b\.txt: has changed since the asset news was fetched; run `dvc repro`"):
        sentences.main(params, "web")
    url.main(params, "news")
    assert hash_folder(Path("data/assets/news")) != before
    assert "Another sentence is in the file now." in sentences_of(params)


def test_only_the_parts_of_a_changed_file_are_read_again(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = write_params("url", {"url": remote.as_uri()})
    url.main(params, "news")
    sentences_of(params)
    before = read_json(Path("data/sentences/web/sentences.json"))["shards"]
    (remote / "b.txt").write_text("Another sentence is in the file now.\n")
    url.main(params, "news")
    sentences_of(params)
    after = read_json(Path("data/sentences/web/sentences.json"))["shards"]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


@pytest.mark.slow
def test_dvc_notices_a_changed_file(tiny_teacher: Path, remote: Path) -> None:
    toy = make_project(remote.parent / "toy", tiny_teacher)
    toy.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    toy.change(
        assets__url={"news": {"url": remote.as_uri()}},
        corpus__sources={"web": {"asset": "news", "files": "*.txt"}},
    )

    def repro() -> set[str]:
        done = toy.run("dvc", "repro", "sentences@web")
        assert done.returncode == 0, done.stdout + done.stderr
        return ran(done) & {"url@news", "sentences@web"}

    assert repro() == {"url@news", "sentences@web"}
    assert repro() == {"url@news"}
    (remote / "b.txt").write_text("Another sentence is in the file now.\n")
    assert repro() == {"url@news", "sentences@web"}
