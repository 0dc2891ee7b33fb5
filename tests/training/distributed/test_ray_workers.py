"""Processes that train together: they connect, concurrent runs do not collide, and errors are reported."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from textbook.errors import UserError
from textbook.training.distributed.ray_workers import Report, count_devices, resolve_processes, run_processes

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def meet(folder: Path, name: str, report: Report) -> tuple[float, str]:
    """The sum of a number over all processes of this run, and their port. Waits until both runs have started."""
    (folder / f"{name}-{dist.get_rank()}").touch()
    while len(list(folder.iterdir())) < 4:
        time.sleep(0.05)
    numbers = torch.tensor(float(len(name) * 10 ** dist.get_rank()))
    dist.all_reduce(numbers)
    report(1, "met")
    return float(numbers), os.environ["MASTER_PORT"]


def refuse(_report: Report) -> None:
    raise UserError(f"rank {dist.get_rank()} of {dist.get_world_size()}: is refused")


def die(_report: Report) -> None:
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def test_concurrent_runs_use_different_ports(local_ray: None, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_processes, partial(meet, tmp_path, name), 2, name, 1) for name in ("a", "bbb")]
        first, second = (run.result() for run in runs)
    assert [total for total, _ in first] == [11, 11]
    assert [total for total, _ in second] == [33, 33]
    ports_by_run = [{port for _, port in results} for results in (first, second)]
    assert all(len(ports) == 1 for ports in ports_by_run)
    assert ports_by_run[0] != ports_by_run[1]


def test_an_error_of_a_process_is_raised_unchanged(local_ray: None) -> None:
    with pytest.raises(UserError, match=r"rank [01] of 2: is refused"):
        run_processes(refuse, 2, "test", 1)


def test_a_process_that_dies_ends_the_run(local_ray: None) -> None:
    with pytest.raises(UserError, match="test: one of 2 processes died"):
        run_processes(die, 2, "test", 1)


def test_more_processes_than_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    count, kind = count_devices()
    assert resolve_processes(count, "teacher.processes") == count
    with pytest.raises(UserError) as error:
        resolve_processes(count + 1, "teacher.processes")
    assert str(error.value) == f"teacher.processes = {count + 1}: must be at most {count}, the number of {kind}s"


TWO_PROCESSES = """
import torch.distributed as dist
from textbook.training.distributed.ray_workers import run_processes

print(sorted(run_processes(lambda report: dist.get_rank(), 2, "test", 1)))
"""


def test_processes_start_with_a_long_temporary_folder_and_without_a_home(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    environment = {**os.environ, "TMPDIR": str(long), "HOME": "/nonexistent", "PYTHONPATH": str(ROOT / "src")}
    environment.pop("RAY_ADDRESS", None)
    process = subprocess.run([sys.executable, "-c", TWO_PROCESSES], env=environment, capture_output=True, text=True)
    assert process.stdout == "[0, 1]\n", process.stderr
