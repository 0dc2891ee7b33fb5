"""Seeds side by side: the same results as one after the other, and nothing is left of them after an error."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import torch
from toy_adaptation import SETTINGS, TASK, toy_adaptation

from textbook.adaptation import side_by_side, worker
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


def when_both_run(children: list[Any], act: Callable[[], object]) -> None:
    """Call a function soon after both processes were started."""

    def wait() -> None:
        while len(children) < 2:
            time.sleep(0.05)
        time.sleep(0.3)
        act()

    Thread(target=wait, daemon=True).start()


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


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> list[subprocess.Popen[bytes]]:
    """Let processes run `code` after they have read their job; a real one takes seconds to start."""
    started: list[subprocess.Popen[bytes]] = []

    def start(_command: list[str], **settings: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", f"import sys, time; sys.stdin.read(); {code}"]
        started.append(subprocess.Popen(command, **settings))
        return started[-1]

    monkeypatch.setattr(side_by_side, "Popen", start)
    monkeypatch.setattr(side_by_side, "WORTH_TEXTS", 0)
    return started


def test_seeds_take_turns_if_there_are_more_than_cores(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = stand_in(monkeypatch, "time.sleep(0.2)")
    running: list[int] = []
    init = side_by_side._Child.__init__

    def count(child: Any, job: SeedJob) -> None:
        init(child, job)
        running.append(sum(process.poll() is None for process in started))

    monkeypatch.setattr(side_by_side._Child, "__init__", count)
    with pytest.raises(FileNotFoundError, match=r"metrics\.json"):  # they wrote nothing
        toy_adaptation(tiny_teacher, tmp_path, seeds=[1, 2, 3, 4, 5])
    assert len(started) == 5
    assert max(running) == 2


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ('print(\'{"user": "a.csv: is empty"}\'); sys.exit(1)', UserError, r"^a\.csv: is empty$"),
        ('print(\'{"system": [28, "no space", "/a"]}\'); sys.exit(1)', OSError, r"^\[Errno 28\] no space: '/a'$"),
        ("sys.exit(3)", RuntimeError, "^student, seed [35]: its process failed with exit code 3$"),
    ],
)
def test_an_error_of_a_process_is_the_same_error_here(
    tiny_teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    error: type[Exception],
    message: str,
) -> None:
    started = stand_in(monkeypatch, code)
    with pytest.raises(error, match=message):
        toy_adaptation(tiny_teacher, tmp_path)
    assert all(process.poll() is not None for process in started)
    assert [path.name for path in tmp_path.iterdir()] == ["task"]


def test_a_process_tells_its_steps_and_its_errors(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls the main function of a process in this one."""
    encoder = toy_adaptation(tiny_teacher, tmp_path, seeds=[3])
    job = SeedJob(
        name="student",
        teacher=tiny_teacher,
        data=tmp_path / "task",
        task=TASK,
        settings=SETTINGS,
        train_words=True,
        targets=None,
        seed=3,
        encoder=encoder,
        folder=tmp_path,
    )

    def events_of(job: SeedJob) -> list[Any]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(pickle.dumps(job))))
            patch.setattr(sys, "stdout", StringIO())
            out = sys.stdout
            with suppress(SystemExit):
                worker.main()
        return [json.loads(line) for line in out.getvalue().splitlines()]  # type: ignore[attr-defined]

    *_, last = events = events_of(job)
    assert [event["step"] for event in events] == list(range(1, 17))  # 2 epochs of 60 texts in batches of 8
    assert last["text"].startswith("loss ")
    (event,) = events_of(replace(job, encoder=tmp_path / "nothing"))
    assert "nothing" in event["user"]
    (tmp_path / HISTORY).unlink()
    (tmp_path / HISTORY).mkdir()
    assert events_of(job)[-1] == {"system": [21, "Is a directory", str(tmp_path / HISTORY)]}


def test_a_killed_process_is_one_line(tiny_teacher: Path, tmp_path: Path, children: list[Any]) -> None:
    when_both_run(children, lambda: children[1].kill())
    with pytest.raises(
        UserError, match=r"^student, seed 5: its process was killed \(SIGKILL\); was it out of memory\?$"
    ):
        toy_adaptation(tiny_teacher, tmp_path)
    assert children[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize(("name", "error"), [("SIGINT", KeyboardInterrupt), ("SIGTERM", SystemExit)])
def test_signals_end_all_processes(
    tiny_teacher: Path, tmp_path: Path, children: list[Any], name: str, error: type[BaseException]
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    when_both_run(children, lambda: os.kill(os.getpid(), signal.Signals[name]))
    with pytest.raises(error):
        toy_adaptation(tiny_teacher, tmp_path)
    signal.signal(signal.SIGINT, before)
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
