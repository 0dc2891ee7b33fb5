"""Running a bundle: what is refused, and stopping before the time is over."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
from bare_python import bare_environment
from toy_bundle import CELL, write_bundle

from textbook.bundle.__main__ import main
from textbook.bundle.contents import CONTENTS, read_bundle
from textbook.bundle.origin import origin_tags, read_origin, write_origin
from textbook.bundle.run import run_bundle
from textbook.bundle.time_limit import TimeLimit
from textbook.errors import UserError
from textbook.files import read_json, write_json
from textbook.training.engine.log import read_history
from textbook.training.engine.tokens import open_tokens

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTBOOK_CPU_ENGINE", "numba")  # restored after a run has set it


def test_a_bundle_says_what_its_cells_need(tiny_teacher: Path, tmp_path: Path) -> None:
    written = write_bundle(tmp_path / "bundle", tiny_teacher, steps=20)
    bundle = read_bundle(tmp_path / "bundle")
    (job,) = bundle.jobs
    assert (job.cell, job.folder, bundle.cohort, bundle.threads) == (CELL, written.folder, 8, 1)
    assert (job.task.outputs, job.task.regression, job.task.metrics) == (["bad", "good"], False, ["accuracy"])
    assert job.distill.second.lr == written.distill.second.lr
    assert {name: getattr(job.adapt, name) for name in type(written.adapt).model_fields} == written.adapt.model_dump()
    assert replace(job.inputs, books=()) == replace(written.inputs, books=())
    assert job.inputs.books[0]().ids.tolist() == open_tokens(tmp_path / "bundle/inputs/tokens").ids.tolist()


def test_other_versions_and_changed_files_are_refused(tiny_teacher: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    with pytest.raises(UserError, match="must be a folder with an unpacked bundle"):
        run_bundle(folder)
    write_bundle(folder, tiny_teacher, steps=20)
    content = read_json(folder / CONTENTS)
    write_json(folder / CONTENTS, {**content, "version": 2})
    with pytest.raises(UserError, match="is of version 2 of bundles; this code reads version 1"):
        run_bundle(folder)
    for name in ("../book.parquet", "/etc/passwd"):
        write_json(folder / CONTENTS, {**content, "files": {name: ""}})
        with pytest.raises(UserError, match=f"{name}: must be a path in the bundle"):
            run_bundle(folder)
    write_json(folder / CONTENTS, content)
    with (folder / "inputs/teacher/config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(UserError, match=r"config\.json: is missing or has changed; unpack the bundle again"):
        run_bundle(folder)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is running this bundle"):
            run_bundle(folder)


def test_the_files_of_a_result_are_those_that_were_made(tiny_teacher: Path, tmp_path: Path) -> None:
    job = write_bundle(tmp_path / "bundle", tiny_teacher, steps=20)
    (job.folder / "student").mkdir(parents=True)
    (job.folder / "student" / "weights").write_text("1")
    write_json(job.folder / "result.json", {"seconds": 2.5})
    assert origin_tags(job.folder) == {}
    write_origin(job, "bundle's key", "numba")
    assert read_origin(job.folder) == (CELL, "key")
    tags = origin_tags(job.folder)
    assert (tags["origin.bundle"], tags["origin.engine"], tags["origin.seconds"]) == ("bundle's key", "numba", "2.5")
    origin = read_json(job.folder / "origin.json")
    write_json(job.folder / "origin.json", {**origin, "device": "a faster one"})
    with pytest.raises(UserError, match=r"origin\.json: has changed since the cell was made"):
        read_origin(job.folder)
    write_json(job.folder / "origin.json", {**origin, "version": 2})
    with pytest.raises(UserError, match="is of version 2 of bundles"):
        read_origin(job.folder)
    write_json(job.folder / "origin.json", origin)
    for path, content in (("student/weights", "2"), ("student/more", "1"), ("result.json", None)):
        before = (job.folder / path).read_text() if (job.folder / path).is_file() else None
        (job.folder / path).write_text(content) if content else (job.folder / path).unlink()
        with pytest.raises(UserError, match=f"{path}: is missing, new or changed since the cell was made"):
            read_origin(job.folder)
        (job.folder / path).write_text(before) if before else (job.folder / path).unlink()
    (job.folder / "student" / "link").symlink_to("weights")
    with pytest.raises(UserError, match="link: is a link"):
        read_origin(job.folder)


def test_a_budget_ends_a_run_before_it_is_over() -> None:
    limit, started = TimeLimit(2 / 3600), time.monotonic()
    with pytest.raises(SystemExit), limit.stopping():
        time.sleep(30)
    assert limit.used_up
    assert 1.7 < time.monotonic() - started < 10
    limit.check_enough(1.7, "3 steps")
    with pytest.raises(UserError, match=r"^--hours 0.000555556: is too short for one cell: 3 steps take about 0.001 h"):
        limit.check_enough(3.6, "3 steps")
    TimeLimit(None).check_enough(1e9, "3 steps")


def test_sigterm_ends_a_run_too() -> None:
    limit = TimeLimit(1)
    Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(SystemExit), limit.stopping():
        time.sleep(30)
    assert not limit.used_up


@pytest.mark.slow
def test_a_run_stops_in_time_and_the_next_one_goes_on(
    tiny_teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cell would take days: that is refused, unless it is made in several runs."""
    job = write_bundle(tmp_path / "bundle", tiny_teacher, steps=10**7)
    with pytest.raises(
        UserError, match=r"^--hours 0.01: is too short for one cell: 9,999,990 steps of distillation ta"
    ):
        run_bundle(tmp_path / "bundle", hours=0.01)
    steps = [0.0]
    for _ in range(2):
        started = time.monotonic()
        run_bundle(tmp_path / "bundle", hours=0.002, several_runs=True)
        assert time.monotonic() - started < 0.002 * 3600
        (checkpoint,) = sorted((job.folder / "work" / "checkpoints-1").glob("*.safetensors"))[-1:]
        steps.append(int(checkpoint.stem))
        assert read_history(job.folder / "work" / "history.jsonl")[-1]["step"] <= steps[-1]
    assert steps == sorted(set(steps))
    out = capsys.readouterr().out
    assert out.count("0 of 1 cells are done and in") == 2
    assert "min left] stopped before the time is over" in out
    assert json.loads((tmp_path / "bundle" / CONTENTS).read_text())["version"] == 1


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    environment = bare_environment(tmp_path, [])
    path = os.pathsep.join([environment["PYTHONPATH"], str(Path(__file__).parents[2] / "src")])
    command = [sys.executable, "-m", "textbook.bundle", "run", "run"]
    process = subprocess.run(command, env={**environment, "PYTHONPATH": path}, cwd=tmp_path, capture_output=True)
    assert process.returncode == 1
    needed = "python -m pip install -r run/requirements.txt"
    expected = f"error: the package torch is not installed; install what a bundle needs: {needed}\n"
    assert process.stderr.decode() == expected


def test_an_older_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    with pytest.raises(SystemExit, match=r"^error: this is Python 3\.9, and a bundle needs 3\.11 or newer$"):
        main(["run", "."])
