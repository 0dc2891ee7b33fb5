"""The stage `index`: a corpus that grows, and what is kept of it."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_sentences
from pipelines.stages.index import KEPT
from pipelines.stages.index import main as index
from textbook.corpus.merge import write_corpus
from textbook.corpus.shards import corpus_hash
from textbook.files import hash_folder
from textbook.params import Params
from textbook.params_file import load_params
from textbook.retrieval.engines import open_index

ROOT = Path(__file__).parents[3]
CORPUS, INDEX = Path("data/corpus"), Path("data/index/bm25s")
SHARDS, ROWS = 100, 30


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A new project with a corpus of 100 shards."""
    monkeypatch.chdir(tmp_path)
    sentences = make_sentences(SHARDS * ROWS, seed=0)
    pq.write_table(pa.table({"sentence": sentences}), "a.parquet")
    pq.write_table(pa.table({"sentence": [*sentences[:9], *make_sentences(ROWS, seed=1)]}), "b.parquet")
    write("a")
    return load_params(ROOT / "params.yaml")


def write(*sources: str) -> None:
    """Write a corpus of these sources in place of the old one."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    write_corpus({name: Path(f"{name}.parquet") for name in sources}, CORPUS, ROWS)


def made() -> dict[str, int]:
    """When the index of each shard was made, in nanoseconds, by its name."""
    return {path.name: path.stat().st_mtime_ns for path in KEPT.iterdir()}


def test_a_source_of_one_percent_has_one_percent_of_the_shards_indexed(params: Params) -> None:
    index(params)
    before = made()
    assert len(before) == SHARDS
    write("a", "b")
    shutil.rmtree(INDEX)  # as DVC does before it runs the stage again
    index(params)
    after = made()
    assert len(after) == SHARDS + 1
    assert after.items() > before.items(), "an old shard was indexed again"
    grown = hash_folder(INDEX)
    hits = open_index(INDEX, corpus_hash(CORPUS)).search([["great", "plot"]], 50)
    shutil.rmtree(KEPT)
    index(params)
    assert hash_folder(INDEX) == grown
    again = open_index(INDEX, corpus_hash(CORPUS)).search([["great", "plot"]], 50)
    assert hits.ids.tolist() == again.ids.tolist()
    assert hits.scores.tolist() == again.scores.tolist()


def test_shards_that_the_corpus_no_longer_has_are_removed(params: Params) -> None:
    index(params)
    write("b")
    index(params)
    assert len(made()) == len(list(CORPUS.glob("*.parquet"))) == 2
    assert open_index(INDEX, corpus_hash(CORPUS)).sentences == 9 + ROWS
