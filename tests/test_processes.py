"""Processes that train together: they meet, they don't disturb each other, and what goes wrong is said."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from textbook.errors import UserError
from textbook.processes import Report, count_devices, resolve_processes, run_processes


def meet(folder: Path, name: str, report: Report) -> tuple[float, str]:
    """What all processes of this run add up to, and their port; only when the other run is there too."""
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


def test_two_runs_side_by_side_have_ports_of_their_own(local_ray: None, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_processes, partial(meet, tmp_path, name), 2, name, 1) for name in ("a", "bbb")]
        one, other = (run.result() for run in runs)
    assert [total for total, _ in one] == [11, 11]
    assert [total for total, _ in other] == [33, 33]
    ports = [{port for _, port in results} for results in (one, other)]
    assert all(len(each) == 1 for each in ports)
    assert ports[0] != ports[1]


def test_an_error_is_the_error_itself(local_ray: None) -> None:
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
    assert (
        str(error.value) == f"teacher.processes = {count + 1}: must be at most {count}, for so many {kind}s are there"
    )
