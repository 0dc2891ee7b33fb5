"""Work side by side gives what it gives one after the other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from textbook.corpus.sentences import Rules, write_sentences
from textbook.corpus.shards import corpus_hash, write_corpus
from textbook.errors import UserError
from textbook.files import hash_folder
from textbook.parallel import WORTH_BYTES, run_all
from textbook.tables import cut_table


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of two workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # workers import the tasks below
        context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield context.address_info["address"]
    ray.shutdown()


def process_of(_item: int) -> int:
    return os.getpid()


def square(item: int) -> int:
    return item * item


def refuse(item: int) -> int:
    if item == 2:
        raise UserError("item 2: is refused")
    return item


def fill_up(_item: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("items", "size"), [([1], 10 * WORTH_BYTES), ([1, 2, 3], WORTH_BYTES - 1), ([], 0)])
def test_what_is_not_worth_it_runs_here(items: list[int], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert run_all(process_of, items, "test", size) == [os.getpid()] * len(items)


def test_one_core_never_imports_ray() -> None:
    program = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from textbook.parallel import run_all\n"
        "assert run_all(abs, [-1, -2], 'test', 1 << 40) == [1, 2]\n"
        "assert 'ray' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_cluster_does_the_work_and_results_stand_in_order(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    assert run_all(square, range(20), "test", 0) == [item * item for item in range(20)]
    assert os.getpid() not in run_all(process_of, [1, 2], "test", 0)


def test_an_error_on_a_cluster_is_the_error_itself(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    with pytest.raises(UserError) as error:
        run_all(refuse, [1, 2, 3], "test", 0)
    assert str(error.value) == "item 2: is refused"
    with pytest.raises(OSError, match="No space left") as full:
        run_all(fill_up, [1, 2], "test", 0)
    assert full.value.errno == 28


def test_the_corpus_is_the_same_side_by_side(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"Sentence {number % 700} is here. And number {number} too." for number in range(1_000)]
    pq.write_table(pa.table({"text": rows}), tmp_path / "a.parquet", row_group_size=50)
    parts = dict.fromkeys(cut_table(str(tmp_path / "a.parquet"), 4000), "same")
    assert len(parts) > 5
    rules = Rules(column="text", where={}, language="en", min_words=1, max_words=9, max_characters=99)
    counts = []
    for name in ("alone", "cluster"):
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        if name == "cluster":
            monkeypatch.setenv("RAY_ADDRESS", cluster)
        write_sentences(parts, tmp_path / name / "sentences", rules)
        counts.append(write_corpus({"web": tmp_path / name / "sentences"}, tmp_path / name / "corpus", 300))
    assert counts == [{"sentences": 2_000, "kept": 1_700, "duplicates": 300}] * 2
    assert corpus_hash(tmp_path / "alone" / "corpus") == corpus_hash(tmp_path / "cluster" / "corpus")
    assert hash_folder(tmp_path / "alone") == hash_folder(tmp_path / "cluster")
