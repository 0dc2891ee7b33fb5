"""Resumable work is keyed by everything that determines its result, including code."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from conftest import make_sentences
from pipelines.work import work_folder, work_key
from textbook.assets.fetch import fetch
from textbook.corpus.merge import write_corpus
from textbook.params import PathAsset

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds


def test_equal_inputs_have_the_same_folder_and_stale_folders_are_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = work_folder("distill@films", {"steps": 10})
    (first / "checkpoint").touch()
    assert work_folder("distill@films", {"steps": 10}) == first
    assert (first / "checkpoint").exists()
    other_task = work_folder("distill@books", {"steps": 20})
    second = work_folder("distill@films", {"steps": 20})
    assert second != first
    assert not first.exists()
    assert other_task.is_dir()


def test_stages_have_different_keys_for_equal_inputs():
    assert len({work_key(stage, 1) for stage in ("corpus", "teacher@films", "distill@films", "cell")}) == 4


@pytest.fixture
def copy(tiny_teacher, tmp_path, monkeypatch):
    """A copy of the project's code with the inputs of the stage `masked_lm`."""
    for package in ("src/textbook", "pipelines"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    fetch(PathAsset(path=str(tiny_teacher)), Path("data/assets/tiny"))
    pq.write_table(pa.table({"sentence": make_sentences(50, seed=0)}), "sentences.parquet")
    write_corpus({"made_up": Path("sentences.parquet")}, Path("data/corpus"))
    raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    raw["assets"]["path"] = {"tiny": {"path": str(tiny_teacher)}}
    (settings,) = raw["assets"]["masked_lm"].values()
    settings = {**settings, "encoder": "tiny", "sentences": 40, "steps": 400, "batch": 8}
    raw["assets"]["masked_lm"]["filler"] = settings
    YAML(typ="safe", pure=True).dump(raw, Path("params.yaml"))
    return tmp_path


def start(folder):
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "pipelines.stages.masked_lm", "filler"], cwd=folder, env=environment)


def history_of(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "restarts"),
    [
        ("src/textbook/training/engine/optimizer.py", True),
        ("src/textbook/files.py", False),
        ("src/textbook/training/distillation/relations.py", False),
    ],
)
def test_after_a_kill_work_resumes_unless_its_code_was_edited(copy, path, restarts):
    process = start(copy)
    deadline = time.monotonic() + PATIENCE
    while not list(Path(".cache/work/masked_lm@filler").glob("*/history.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)  # like a preempted node; a checkpoint is written
    assert process.wait() == 128 + signal.SIGTERM
    (work,) = Path(".cache/work/masked_lm@filler").iterdir()
    before = history_of(work)
    assert before[-1]["step"] < 400
    with (copy / path).open("a") as file:
        file.write("# edited\n")
    assert start(copy).wait() == 0
    after = history_of(Path("data/assets/filler"))
    assert (after[0]["time"] == before[0]["time"]) is not restarts
    assert after[-1]["step"] == 400
    assert [line["step"] for line in after] == sorted(line["step"] for line in after)
    assert not list(Path(".cache/work/masked_lm@filler").iterdir())
