"""A bundle of toy cells: made, run on a bare Python, killed, adopted, and compared with the sweep's own cells."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bare_python import bare_environment
from mlflow import MlflowClient

from pipelines.sweep.pack import NEEDED

PART = ["textbook=contextualized,contextualized+augmented", "init=random"]  # four cells
ONE = ["textbook=contextualized", "init=random", "teacher=task"]
TIMED = ("clock.json", "history", "run.json", "snapshots.jsonl")  # files with times in them
PATIENCE = 300  # seconds


def make(project, module, *words):
    process = project.run(sys.executable, "-m", module, *words)
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    return process.stdout


def cells_of(folder):
    """The content of each file of all cells, without times and origins."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or path.name in (".lock", "origin.json") or path.name.startswith(TIMED):
            continue
        content = path.read_bytes()
        if path.name == "result.json" and len(name.parts) == 3:
            content = re.sub(rb'"seconds": [\d.]+', b"", content)
        contents[str(name)] = content
    return contents


def times(project):
    return {path: path.stat().st_mtime_ns for path in (project.folder / "data" / "cells").rglob("*.json")}


@pytest.fixture(scope="module")
def parts(project, tmp_path_factory):
    """The parts of a bundle of four cells, and a bundle of one cell."""
    shutil.rmtree(project.folder / "data" / "cells", ignore_errors=True)
    folder = tmp_path_factory.mktemp("bundles")
    out = make(project, "pipelines.sweep.bundle", "--out", str(folder / "four"), "--split", "50K", *PART)
    assert "a bundle of 4 cells, " in out
    make(project, "pipelines.sweep.bundle", "--out", str(folder / "one"), *ONE)
    assert len(list((folder / "four").glob("bundle.tar.gz.part*"))) > 2
    return folder


@pytest.fixture(scope="module")
def own(project, parts, tmp_path_factory):
    """The cells that the sweep makes itself; afterwards the project has none, and no runs of them."""
    make(project, "pipelines.sweep", *PART)
    project.delete_runs()
    kept = tmp_path_factory.mktemp("own") / "cells"
    shutil.move(project.folder / "data" / "cells", kept)
    return kept


class Bare:
    """A machine with few packages and an unpacked bundle."""

    def __init__(self, folder, parts, packages):
        environment = bare_environment(folder / "site", packages)
        source = os.pathsep.join([environment["PYTHONPATH"], str(Path(__file__).parents[2] / "src")])
        self.environment, self.folder, self.parts = {**environment, "PYTHONPATH": source}, folder / "bundle", parts
        self.unpacked = self.call("unpack", *map(str, sorted(parts.iterdir())), str(self.folder))

    def start(self, *words):
        command = [sys.executable, "-m", "textbook.bundle", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=self.environment, cwd=self.folder.parent, **pipes)

    def call(self, *words):
        process = self.start(*words)
        out, error = process.communicate(timeout=PATIENCE)
        return process.returncode, out, error

    def run(self, *words):
        return self.call("run", str(self.folder), *words)

    def kill_when(self, condition):
        process = self.start("run", str(self.folder))
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory):
    """The bundle of four cells after a run that was killed twice, with numba."""
    bare = Bare(tmp_path_factory.mktemp("bare"), parts / "four", [*NEEDED, "numba"])
    assert bare.unpacked[0] == 0, bare.unpacked
    bare.kill_when(lambda: list(bare.folder.glob("cells/*/*/work/history.jsonl")))
    bare.kill_when(lambda: list(bare.folder.glob("results/*/*/origin.json")))
    code, out, error = bare.run("--hours", "1")
    assert code == 0, (out, error)
    assert "4 of 4 cells are done" in out
    return bare


def test_cells_of_a_killed_bundle_are_adopted_and_are_the_sweeps_own(project, own, finished):
    results = finished.folder / "results"
    assert cells_of(results) == cells_of(own)
    subprocess.run(["tar", "-czf", "results.tar.gz", "results"], cwd=finished.folder, check=True)
    out = make(project, "pipelines.sweep.adopt", str(finished.folder / "results.tar.gz"))
    assert "4 cells, 4 taken in, 0 already here" in out
    assert cells_of(project.folder / "data" / "cells") == cells_of(own)
    table = (project.folder / "reports" / "sweep.csv").read_bytes()
    with (project.folder / "reports" / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done"] * 4
    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    for row in rows:
        run = client.get_run(row["run_id"])
        assert run.data.metrics["student/accuracy"] == float(row["mean"])
        assert run.data.tags["origin.engine"] == "numba"
        assert float(run.data.tags["origin.seconds"]) == float(row["seconds"])
    before = times(project)
    assert "4 cells, 0 taken in, 4 already here" in make(project, "pipelines.sweep.adopt", str(finished.folder))
    assert times(project) == before
    assert (project.folder / "reports" / "sweep.csv").read_bytes() == table


def test_without_numba_the_plain_engine_is_used_and_recorded(parts, tmp_path):
    bare = Bare(tmp_path, parts / "one", list(NEEDED))
    code, out, error = bare.run()
    assert code == 0, (out, error)
    assert out.count("numba is not installed") == 1
    (origin,) = bare.folder.glob("results/*/*/origin.json")
    assert json.loads(origin.read_text())["engine"] == "plain"
