"""Parallel work gives the same results as sequential work."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from textbook.corpus.merge import write_corpus
from textbook.corpus.sentences import write_sentences
from textbook.corpus.shards import corpus_hash
from textbook.errors import UserError
from textbook.files import hash_folder
from textbook.params import Corpus, Index, NearDuplicates, Source
from textbook.ray_tasks import WORTH_BYTES, run_all
from textbook.retrieval import bm25
from textbook.retrieval.engines import build_index, open_index
from textbook.tables.files import cut_table


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster with two workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # workers import this module
        context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield context.address_info["address"]
    ray.shutdown()


def process_id(_item: int) -> int:
    return os.getpid()


def square(item: int) -> int:
    return item * item


def reject_two(item: int) -> int:
    if item == 2:
        raise UserError("item 2: is rejected")
    return item


def reject_third(folder: Path, item: int) -> None:
    if item == 3:
        raise UserError("item 3: is rejected")
    (folder / str(item)).touch()


def die(_item: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk(_item: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("items", "size"), [([1], 10 * WORTH_BYTES), ([1, 2, 3], WORTH_BYTES - 1), ([], 0)])
def test_small_work_runs_in_this_process(items: list[int], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert run_all(process_id, items, "test", size) == [os.getpid()] * len(items)


def test_one_core_never_imports_ray() -> None:
    program = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from textbook.ray_tasks import run_all\n"
        "assert run_all(abs, [-1, -2], 'test', 1 << 40) == [1, 2]\n"
        "assert 'ray' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    process = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_a_cluster_does_the_work_and_results_are_in_order(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    assert run_all(square, range(20), "test", 0) == [item * item for item in range(20)]
    assert os.getpid() not in run_all(process_id, [1, 2], "test", 0)


def test_an_error_on_a_cluster_is_raised_unchanged(
    cluster: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    with pytest.raises(UserError) as error:
        run_all(reject_two, [1, 2, 3], "test", 0)
    assert str(error.value) == "item 2: is rejected"
    with pytest.raises(OSError, match="No space left") as disk_error:
        run_all(fill_disk, [1, 2], "test", 0)
    assert disk_error.value.errno == 28
    assert run_all(square, [1, 2], "test", 0) == [1, 4]
    assert capfd.readouterr().err.count("No space left") == 0  # Ray prints nothing about the other one


def test_after_an_error_no_more_work_is_begun(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    for number in range(10):  # the first ones would be through all items by the end of the last
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(UserError, match="item 3: is rejected"):
            run_all(partial(reject_third, folder), range(100), "test", 0)
    assert max(len(list(folder.iterdir())) for folder in tmp_path.iterdir()) < 50


@pytest.mark.slow  # Ray starts the worker four times
def test_a_worker_that_always_dies_is_one_line(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    with pytest.raises(UserError, match=r"^test: Ray lost a process or a machine \(.*\); was it out of memory\?$"):
        run_all(die, [1, 2], "test", 0)


@pytest.mark.parametrize(
    ("near", "expected"),
    [
        (None, {"kept": 1_700, "duplicates": 300}),
        (
            NearDuplicates(threshold=0.5, words=1, hashes=64),
            {"kept": 2, "duplicates": 300, "near_duplicates": 1_698},
        ),
    ],
)
def test_the_corpus_is_the_same_on_a_cluster(
    cluster: str, near: NearDuplicates | None, expected: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"Sentence {number % 700} is here. And number {number} too." for number in range(1_000)]
    pq.write_table(pa.table({"text": rows}), tmp_path / "a.parquet", row_group_size=50)
    parts = dict.fromkeys(cut_table(str(tmp_path / "a.parquet"), 4000), "same")
    assert len(parts) > 5
    source = Source(asset="web", column="text")
    bounds = Corpus(sources={}, language="en", min_words=1, max_words=9, max_characters=99, near_duplicates=None)
    counts = []
    for name in ("alone", "cluster"):
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        if name == "cluster":
            monkeypatch.setenv("RAY_ADDRESS", cluster)
        write_sentences(parts, tmp_path / name / "sentences", source, bounds, "code")
        counts.append(write_corpus({"web": tmp_path / name / "sentences"}, tmp_path / name / "corpus", 300, near))
    assert counts == [{"sentences": 2_000, **expected}] * 2
    assert corpus_hash(tmp_path / "alone" / "corpus") == corpus_hash(tmp_path / "cluster" / "corpus")
    assert hash_folder(tmp_path / "alone") == hash_folder(tmp_path / "cluster")


def test_the_index_and_its_hits_are_the_same_on_a_cluster(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bm25, "GROUP_SHARDS", 2)
    rng = random.Random(0)
    shards = [[" ".join(rng.choices("abcdefgh", k=rng.randint(1, 9))) for _ in range(50)] for _ in range(5)]
    queries = [rng.choices("abcdefghi", k=3) for _ in range(40)]
    hits = []
    for name in ("alone", "cluster"):
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        if name == "cluster":
            monkeypatch.setenv("RAY_ADDRESS", cluster)
        build_index(shards, tmp_path / name, Index(engine="bm25s", k1=1.2, b=0.75), "hash")
        hits.append(open_index(tmp_path / name, "hash").search(queries, 30))
    assert hash_folder(tmp_path / "alone") == hash_folder(tmp_path / "cluster")
    assert hits[0].ids.tolist() == hits[1].ids.tolist()
    assert hits[0].scores.tolist() == hits[1].scores.tolist()
    assert hits[0].counts.min() > 0
