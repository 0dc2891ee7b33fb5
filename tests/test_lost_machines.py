"""A corpus, its index and a search on two machines are right, whatever is lost on the way."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from toy_machines import Cluster, can_have_machines, two_machines, wait_for_worker

PARTS, LINES, WORDS = 6, 10_000, 5_000
PHASES = ["sentences", "corpus", "index", "search"]

PROGRAM = """
import sys
import time
from pathlib import Path
import numpy as np
from textbook import ray_tasks
from textbook.corpus.merge import write_corpus
from textbook.corpus.sentences import write_sentences
from textbook.corpus.shards import corpus_hash, read_shards
from textbook.files import hash_folder
from textbook.params import Corpus, Index, Source
from textbook.retrieval import bm25
from textbook.retrieval.engines import build_index, open_index
from textbook.tables.files import Part

text, out = map(Path, sys.argv[1:3])
hold = out / "hold"

def work_on(work, item):
    while hold.exists():  # else one machine may do all before the other one has begun
        time.sleep(0.02)
    return work(item)

def begin(phase):
    if phase in sys.argv[3:]:
        hold.touch()
    print(phase, flush=True)

ray_tasks.work_on = work_on
bm25.GROUP_SHARDS = 1
bounds = Corpus(sources={}, language="en", min_words=1, max_words=99, max_characters=999, near_duplicates=None)
begin("sentences")
parts = {Part(str(path)): path.name for path in sorted(text.iterdir())}
write_sentences(parts, out / "sentences", Source(asset="web"), bounds, "code")
begin("corpus")
write_corpus({"web": out / "sentences"}, out / "corpus", 5_000)
shards = read_shards(out / "corpus")
begin("index")
kept = [out / "kept" / str(number) for number in range(len(shards))]
build_index(shards, out / "index", Index(engine="bm25s", k1=1.2, b=0.75), "hash", kept=kept)
queries = [sentence.split() for sentence in shards[0]]
begin("search")
hits = open_index(out / "index", "hash").search(queries, 100)
np.save(out / "ids.npy", hits.ids)
np.save(out / "scores.npy", hits.scores)
print(corpus_hash(out / "corpus"), hash_folder(out), flush=True)
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text in some files."""
    folder, rng = tmp_path_factory.mktemp("text"), random.Random(0)
    words = ["".join(rng.choices("abcdefghijklm", k=4)) for _ in range(WORDS)]
    for part in range(PARTS):
        lines = (" ".join(rng.choices(words, k=12)) for _ in range(LINES))
        (folder / f"{part}.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def expected(text: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hashes of everything that is made of the text in one process."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-c", PROGRAM, text, tmp_path_factory.mktemp("alone")]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return process.stdout.splitlines()[-1]


def lose(cluster: Cluster, fault: str) -> None:
    """Let something go wrong while the second machine works."""
    process = wait_for_worker(cluster.worker)
    match fault:
        case "process":
            os.kill(process, signal.SIGKILL)
        case "machine":
            cluster.worker.kill()
        case "cable":
            cluster.worker.unplug()


@pytest.mark.slow
@pytest.mark.skipif(not can_have_machines(), reason="network namespaces need iproute2 and the right to make them")
@pytest.mark.parametrize(("fault", "phases"), [("process", PHASES), ("machine", ["index"]), ("cable", ["search"])])
def test_whatever_is_lost_the_result_is_the_same(
    fault: str, phases: list[str], text: Path, expected: str, tmp_path: Path
) -> None:
    with TemporaryDirectory(prefix="ray-") as sockets, two_machines(Path(sockets)) as cluster:
        command = cluster.head.command(sys.executable, "-c", PROGRAM, text, tmp_path, *phases)
        errors = tmp_path.with_suffix(".log")
        with (
            errors.open("w") as log,
            subprocess.Popen(
                command, env=cluster.environment, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            lost, lines = list[str](), list[str]()
            for line in process.stdout or []:
                lines.append(line.strip())
                if lines[-1] in phases:
                    try:
                        lose(cluster, fault)
                    finally:
                        (tmp_path / "hold").unlink()
                    lost.append(lines[-1])
        assert process.returncode == 0, errors.read_text()
        assert lost == phases
        assert expected in lines
