"""Seeds side by side: the same results as one after the other, and nothing is left of them after an error."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import psutil
import pytest
import torch
from toy_adaptation import SETTINGS, TASK, toy_adaptation

from textbook.adaptation import side_by_side
from textbook.adaptation.seed import HISTORY, SeedJob
from textbook.errors import UserError


@pytest.fixture(autouse=True)
def two_cores() -> Iterator[None]:
    """Two threads for PyTorch, so that two seeds have a core each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that seeds get; even this little work is worth one."""
    started: list[Any] = []

    def start(*arguments: Any, **settings: Any) -> Any:
        started.append(subprocess.Popen(*arguments, **settings))
        return started[-1]

    monkeypatch.setattr(side_by_side, "Popen", start)
    monkeypatch.setattr(side_by_side, "WORTH_TEXTS", 0)
    return started


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a model, without the times in its histories."""
    return {path.name: re.sub(rb'"time": \d+', b"", path.read_bytes()) for path in folder.iterdir() if path.is_file()}


def test_results_are_those_of_one_seed_after_the_other(
    tiny_teacher: Path, tmp_path: Path, children: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    beside = toy_adaptation(tiny_teacher, tmp_path, targets="gold")
    assert [process.returncode for process in children] == [0, 0]
    assert "student, seeds 3, 5: 100%" in capfd.readouterr().err
    files = files_of(beside)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "WORTH_TEXTS", 10**9)
        alone = toy_adaptation(tiny_teacher, tmp_path)
    assert len(children) == 2
    assert torch.get_num_threads() == 2
    assert files == files_of(alone)
    assert {"model.safetensors", "history-3.jsonl", "history-5.jsonl", "predictions.parquet"} <= set(files)


def test_seeds_take_turns_if_there_are_more_than_cores(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaces the processes, whose start takes seconds, by ones that only report their steps."""
    running: list[subprocess.Popen[bytes]] = []
    most: list[int] = []

    def start(command: list[str], **settings: Any) -> Any:
        report = 'import sys, time; sys.stdin.read(); time.sleep(0.2); print(\'{"step": 4, "text": ""}\')'
        running.append(subprocess.Popen([sys.executable, "-c", report], **settings))
        most.append(sum(process.poll() is None for process in running))
        return running[-1]

    monkeypatch.setattr(side_by_side, "Popen", start)
    monkeypatch.setattr(side_by_side, "WORTH_TEXTS", 0)
    with pytest.raises(FileNotFoundError, match=r"metrics\.json"):
        toy_adaptation(tiny_teacher, tmp_path, seeds=[1, 2, 3, 4, 5])
    assert len(running) == 5
    assert max(most) == 2


def test_a_mistake_of_the_user_is_the_same_error(tiny_teacher: Path, tmp_path: Path, children: list[Any]) -> None:
    with pytest.raises(
        UserError, match=r"^student, seed [35]: the (loss|weights).*; try a smaller adapt.lr than 1e\+30$"
    ):
        toy_adaptation(tiny_teacher, tmp_path, lr=1e30)
    assert all(process.poll() is not None for process in children)
    assert not (tmp_path / "student").exists()


def test_other_errors_of_a_process_are_errors_here(
    tiny_teacher: Path, tmp_path: Path, children: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    toy_adaptation(tiny_teacher, tmp_path, seeds=[3])
    (tmp_path / HISTORY).mkdir()
    job = SeedJob(
        name="student",
        teacher=tiny_teacher,
        data=tmp_path / "task",
        task=TASK,
        settings=SETTINGS,
        train_words=True,
        targets=None,
        seed=3,
        encoder=tmp_path / "student",
        folder=tmp_path,
    )
    with pytest.raises(IsADirectoryError, match=HISTORY):
        side_by_side.run_seeds([job, job])
    nonsense = replace(job, settings=SETTINGS.model_copy(update={"lr": "fast"}))
    with pytest.raises(RuntimeError, match="student, seed 3: its process failed with exit code 1"):
        side_by_side.run_seeds([nonsense, nonsense])
    assert "TypeError" in capfd.readouterr().err


def test_a_killed_process_is_one_line(tiny_teacher: Path, tmp_path: Path, children: list[Any]) -> None:
    Timer(0.5, lambda: children[1].kill()).start()
    with pytest.raises(
        UserError, match=r"^student, seed 5: its process was killed \(SIGKILL\); was it out of memory\?$"
    ):
        toy_adaptation(tiny_teacher, tmp_path)
    assert children[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize(("name", "error"), [("SIGINT", KeyboardInterrupt), ("SIGTERM", SystemExit)])
def test_signals_end_all_processes(
    tiny_teacher: Path, tmp_path: Path, children: list[Any], name: str, error: type[BaseException]
) -> None:
    Timer(0.5, os.kill, (os.getpid(), signal.Signals[name])).start()
    with pytest.raises(error):
        toy_adaptation(tiny_teacher, tmp_path)
    assert [process.returncode for process in children] == [-signal.SIGKILL] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["task"]


@pytest.mark.slow
def test_processes_end_if_the_one_that_started_them_is_killed(tiny_teacher: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed_adaptation.py")
    path = os.pathsep.join([str(script.parent), str(script.parents[1]), *sys.path])
    command = [sys.executable, script, tiny_teacher, tmp_path]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)
    histories = ".partial/student/student/seeds/*/history.jsonl"
    deadline = time.monotonic() + 100
    while len(list(tmp_path.glob(histories))) < 2:
        assert time.monotonic() < deadline
        assert parent.poll() is None
        time.sleep(0.1)
    started = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    assert len(started) == 2
    _, left = psutil.wait_procs(started, timeout=20)
    assert left == []
