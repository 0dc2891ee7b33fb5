"""The stage `corpus` with near-duplicates: what it removes, says and counts."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines.stages import asset, corpus, sentences
from textbook.corpus.shards import read_shards
from textbook.files import hash_folder, read_json
from textbook.params import Params

ROOT = Path(__file__).parents[3]
LINES = ["Nothing here is like the other lines of this text.", "ALL rights are reserved by the maker of this page."]
AGAIN = ["All rights are reserved by the maker of this page!", "All rights are reserved by the maker of this page."]


def write_params(near: dict[str, float] | None) -> Params:
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    raw["assets"]["path"] = {"news": {"path": "news.txt"}}
    raw["corpus"] |= {"sources": {"web": {"asset": "news"}}, "near_duplicates": near}
    return Params.model_validate(raw)


def test_near_duplicates_go_besides_exact_ones_and_no_sentence_is_split_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "pipelines" / "expectations", "pipelines/expectations")
    Path("news.txt").write_text("\n".join([*LINES, *AGAIN]))
    exact, near = write_params(None), write_params({"threshold": 0.8, "words": 2, "hashes": 128})
    asset.main(exact, "path", "news")
    sentences.main(exact, "web")
    split = hash_folder(Path("data/sentences"))
    capsys.readouterr()

    corpus.main(exact)
    assert capsys.readouterr().out == "corpus: 3 sentences, 1 duplicates removed\n"
    corpus.main(near)
    assert capsys.readouterr().out == "corpus: 2 sentences, 1 duplicates and 1 near-duplicates removed\n"
    (kept,) = read_shards(Path("data/corpus"))
    assert list(kept) == LINES
    counts = {"sentences": 4, "kept": 2, "duplicates": 1, "near_duplicates": 1}
    assert counts.items() <= read_json(Path("data/corpus/corpus.json")).items()

    sentences.main(near, "web")
    assert hash_folder(Path("data/sentences")) == split
