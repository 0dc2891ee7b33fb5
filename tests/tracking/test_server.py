"""Tracking servers: concurrent writers, and servers that are missing, go down or outlive their driver."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from textbook.errors import UserError
from textbook.training.engine.log import log_to_file
from tracking.live import live
from tracking.record import Record
from tracking.runs import CELL, record_cell
from tracking.server import artifact_root, free_port, server_command, serving, wait_until_healthy
from tracking.store import connect, experiment_id, local_store
from tracking.sweeps import start_sweep

ROOT = Path(__file__).parents[2]
WRITERS, STEPS, PARAMS = 32, 60, 40
DRIVER = """
import sys, time
from tracking.server import serving
with serving() as ready:
    print(ready(), flush=True)
    time.sleep(1000)
"""


def cell(name, history, **more):
    return Record(name, "films", "random", "task", "general", curves={"distill": history}, **{"params": {}, **more})


def write_history(path, steps, start=0):
    log = log_to_file(path)
    for step in range(start, start + steps):
        log(step + 1, {"loss": 1 / (step + 1), "lr": 1e-3})


def listens(uri):
    with socket.socket() as client:
        return client.connect_ex((uri.split("/")[2].split(":")[0], int(uri.rsplit(":", 1)[1]))) == 0


def write_run(uri, experiment, parent, folder, number, barrier):
    """Record a cell; each writer process runs this."""
    os.environ["MLFLOW_TRACKING_URI"] = uri
    history = folder / f"history-{number}.jsonl"
    write_history(history, STEPS)
    params = {f"param.{name}": f"{number}-{name}" for name in range(PARAMS)}
    record = cell(f"cell-{number}", history, params=params, metrics={"student/score": float(number)})
    client = connect()
    barrier.wait()
    record_cell(client, experiment, record, parent=parent)


@pytest.mark.slow
def test_32_processes_log_concurrently_to_a_server_that_ends_with_its_driver(client, tmp_path):
    sweep = start_sweep(client, "textbook", "sweep", "grid", {})
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as driver:
        uri = driver.stdout.readline().strip()
        fork = multiprocessing.get_context("fork")  # forked writers need no imports
        barrier = fork.Barrier(WRITERS)
        writers = [
            fork.Process(target=write_run, args=(uri, sweep.experiment, sweep.run_id, tmp_path, number, barrier))
            for number in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        driver.kill()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    runs = client.search_runs([sweep.experiment], f"tags.`mlflow.parentRunId` = '{sweep.run_id}'")
    assert sorted(run.data.tags[CELL] for run in runs) == sorted(f"cell-{number}" for number in range(WRITERS))
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        number = run.data.tags[CELL].removeprefix("cell-")
        assert {f"param.{name}": f"{number}-{name}" for name in range(PARAMS)}.items() <= run.data.params.items()
        assert run.data.metrics["student/score"] == float(number)
        for name in ("loss", "lr"):
            history = client.get_metric_history(run.info.run_id, f"distill/{name}")
            assert [metric.step for metric in history] == list(range(1, STEPS + 1))
    assert client.search_runs(["0"]) == []
    deadline = time.monotonic() + 60
    while listens(uri):
        assert time.monotonic() < deadline, "the server outlived its driver"
        time.sleep(0.1)


def start_server(port):
    """An MLflow server over the local store, in a session of its own."""
    log = Path(f"server-{port}.log")
    command = server_command(port, local_store(), artifact_root())
    with log.open("a") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    wait_until_healthy(f"http://127.0.0.1:{port}", process, log)
    return process


def stop_server(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_nothing_is_lost_if_the_server_goes_down(client, tmp_path, monkeypatch):
    port = free_port()
    server = start_server(port)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    remote = connect()
    experiment = experiment_id(remote, "textbook")
    history = tmp_path / "history.jsonl"
    record = cell("cell", history, metrics={"student/score": 80.0})
    write_history(history, 10)
    with live(experiment, record):
        deadline = time.monotonic() + 60
        while not (runs := client.search_runs([experiment])) or "distill/lr" not in runs[0].data.metrics:
            assert time.monotonic() < deadline, "nothing was logged live"
            time.sleep(0.1)
        stop_server(server)
        write_history(history, 10, start=10)
    with pytest.raises(UserError, match=r"could not be recorded .* its results are kept"):
        record_cell(remote, experiment, record)
    server = start_server(port)
    run_id = record_cell(remote, experiment, record)
    stop_server(server)
    (run,) = client.search_runs([experiment])
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    assert run.data.metrics["student/score"] == 80.0
    losses = client.get_metric_history(run_id, "distill/loss")
    assert [(metric.step, metric.value) for metric in losses] == [(step, 1 / step) for step in range(1, 21)]


def test_a_missing_server_is_a_clear_error(client, monkeypatch):
    uri = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UserError, match=rf"MLFLOW_TRACKING_URI = {uri}: no MLflow server answers"):
        connect()
    with pytest.raises(UserError, match="no MLflow server answers"), serving():
        pass


def test_a_listener_that_does_not_answer_is_a_clear_error(client, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        with pytest.raises(UserError, match="no MLflow server answers"):
            connect()
