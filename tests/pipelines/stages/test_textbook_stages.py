"""The stage `contextualized`: validation of the textbook, a full disk, and kills."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_reviews, make_sentences
from pipelines.stages.contextualized import main as contextualized
from textbook.corpus.merge import write_corpus
from textbook.corpus.shards import corpus_hash, read_shards
from textbook.errors import UserError
from textbook.files import hash_folder, read_json, sha256
from textbook.params import Params
from textbook.params_file import load_params
from textbook.retrieval.engines import build_index

ROOT = Path(__file__).parents[3]
TASK = "rotten_tomatoes"
BOOK = Path("data/textbooks", TASK, "contextualized.parquet")
PAGE = Path("reports/validation", f"textbook-{TASK}-contextualized.html")
FIGURES = Path("pipelines/expectations/textbook-figures.yaml")


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A new project with a corpus, its index and a task. Half of the corpus has no word in common with the task."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "pipelines" / "expectations", "pipelines/expectations")
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    foreign = [f"lorem{number % 90} ipsum{number % 70} dolor{number}" for number in range(400)]
    pq.write_table(pa.table({"sentence": make_sentences(400, seed=0) + foreign}), "web.parquet")
    write_corpus({"web": Path("web.parquet")}, Path("data/corpus"))
    loaded, corpus = load_params(), Path("data/corpus")
    build_index(read_shards(corpus), Path("data/index/bm25s"), loaded.index, corpus_hash(corpus))
    folder = Path("data/tasks", TASK)
    folder.mkdir(parents=True)
    for seed, split in enumerate(("train", "validation")):
        rows = make_reviews(60, seed=seed)
        columns = {"sentence": [text for text, _ in rows], "label": [label for _, label in rows]}
        pq.write_table(pa.table(columns), folder / f"{split}.parquet")
    return loaded


def with_settings(params: Params, **settings: object) -> Params:
    """The parameters with changed settings of the contextualized textbook."""
    raw = params.model_dump()
    raw["textbooks"]["contextualized"] |= settings
    return Params.model_validate(raw)


def test_the_figures_have_the_overlap_of_the_textbook_with_the_task(params: Params) -> None:
    contextualized(with_settings(params, k=3), TASK)
    figures = read_json(BOOK.with_suffix(".json"))
    sentences = pq.read_table(BOOK)["sentence"].to_pylist()
    assert figures["sentences"] == len(sentences)
    assert figures["bytes"] == sum(len(sentence.encode()) + 1 for sentence in sentences)
    assert 100 >= figures["overlap_with_task"] > figures["overlap_of_random_sample"] > 0
    assert "expect_column_pair_values_a_to_be_greater_than_b" in PAGE.read_text()


def test_a_textbook_of_the_whole_corpus_has_the_overlap_of_a_random_sample(params: Params) -> None:
    pq.write_table(pa.table({"sentence": ["lorem ipsum dolor"], "label": [0]}), f"data/tasks/{TASK}/validation.parquet")
    everything = [" ".join(text.split()) for shard in read_shards(Path("data/corpus")) for text in shard]
    pq.write_table(
        pa.table({"sentence": everything, "label": [0] * len(everything)}), f"data/tasks/{TASK}/train.parquet"
    )
    contextualized(with_settings(params, k=800), TASK)
    figures = read_json(BOOK.with_suffix(".json"))
    assert figures["sentences"] == 800
    assert figures["overlap_with_task"] == figures["overlap_of_random_sample"]


@pytest.mark.parametrize("unit", ["sentences", "bytes"])
def test_a_textbook_fits_its_budget(params: Params, unit: str) -> None:
    size = {"sentences": 150, "bytes": 8_000}[unit]
    contextualized(with_settings(params, k=50, budget={"unit": unit, "size": size}), TASK)
    assert size / 2 < read_json(BOOK.with_suffix(".json"))[unit] <= size


@pytest.mark.parametrize("pairs", ["anchor", None])
def test_a_task_of_pairs_can_have_a_textbook_of_pairs(params: Params, pairs: str | None) -> None:
    for path in Path("data/tasks", TASK).glob("*.parquet"):
        rows = pq.read_table(path)
        texts = {"sentence1": rows["sentence"][:30], "sentence2": rows["sentence"][30:], "label": rows["label"][:30]}
        pq.write_table(pa.table(texts), path)
    contextualized(with_settings(params, pairs=pairs, budget=None, k=6), TASK)
    book, figures = pq.read_table(BOOK), read_json(BOOK.with_suffix(".json"))
    assert ("sentence2" in book.column_names) is bool(pairs)
    assert figures["sentences"] == book.num_rows * (1 + bool(pairs))
    assert ("pair_overlap_distance" in figures) is bool(pairs)
    assert figures["overlap_with_task"] > figures["overlap_of_random_sample"]


def test_a_textbook_that_fails_a_rule_of_the_user_is_not_written(params: Params) -> None:
    with FIGURES.open("a") as file:
        file.write("- type: expect_column_values_to_be_between\n  kwargs: {column: hits, max_value: 12}\n")
    with pytest.raises(UserError, match=r"contextualized\.json: fails .* row 0: \{'hits': \d+\} \(1 of \d+ checks"):
        contextualized(params, TASK)
    assert not BOOK.exists()
    assert "'hits'" in PAGE.read_text().replace("&#39;", "'")


def start(**limits: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TQDM_DISABLE": "1"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # with a limit on their size, Python would keep files that are cut off
    command = [sys.executable, "-m", "pipelines.stages.contextualized", TASK]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes, **limits)  # type: ignore[call-overload, no-any-return]


def full_disk() -> None:
    """Limit the size of the files that this process writes, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))


@pytest.mark.usefixtures("params")
def test_a_full_disk_is_one_line_and_leaves_no_partial_output() -> None:
    process = start(preexec_fn=full_disk)
    _, err = process.communicate()
    assert process.returncode == 1, err
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert "free some disk space and run it again" in err
    assert list(BOOK.parent.iterdir()) == []


@pytest.mark.slow
def test_after_kills_the_stage_gives_the_same_outputs(params: Params) -> None:
    begin = time.monotonic()
    assert start().wait() == 0
    seconds = time.monotonic() - begin
    whole, book = hash_folder(BOOK.parent), sha256(BOOK)
    for share in (0.8, 0.95):
        shutil.rmtree(BOOK.parent)  # as DVC does before it runs the stage again
        process = start()
        time.sleep(seconds * share)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        if BOOK.with_suffix(".json").exists():
            assert hash_folder(BOOK.parent) == whole
        elif BOOK.exists():
            assert sha256(BOOK) == book
    contextualized(params, TASK)
    assert hash_folder(BOOK.parent) == whole
