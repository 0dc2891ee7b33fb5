"""Live logging of a cell."""

import time

import pytest

from textbook.training.engine.log import log_to_file
from tracking.live import live
from tracking.record import Record
from tracking.runs import record_cell


@pytest.fixture
def record(tmp_path):
    return Record("cell", "films", "random", "task", "general", params={"a": 1}, curves={"distill": tmp_path / "log"})


def only_run(client, experiment):
    (run,) = client.search_runs([experiment])
    return run


def losses(client, experiment):
    run_id = only_run(client, experiment).info.run_id
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "distill/loss")]


def test_a_run_shows_its_curves_while_it_is_running(client, experiment, record, monkeypatch):
    monkeypatch.setattr("tracking.live.POLL_SECONDS", 0.1)
    log = log_to_file(record.curves["distill"])
    with live(experiment, record, parent="sweep"):
        log(10, {"loss": 0.9})
        deadline = time.monotonic() + 60
        while not (runs := client.search_runs([experiment])) or "distill/loss" not in runs[0].data.metrics:
            assert time.monotonic() < deadline, "nothing was logged live"
            time.sleep(0.05)
        assert runs[0].info.status == "RUNNING"
        assert runs[0].data.params["a"] == "1"
        log(20, {"loss": 0.5})
    assert losses(client, experiment) == [(10, 0.9), (20, 0.5)]


def test_a_failed_cell_resumes_in_its_run_and_repeats_no_step(client, experiment, record):
    def fail():
        with live(experiment, record):
            log_to_file(record.curves["distill"])(10, {"loss": 0.9})
            log_to_file(record.curves["distill"])(20, {"loss": 0.8})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert only_run(client, experiment).info.status == "FAILED"
    with live(experiment, record):
        log_to_file(record.curves["distill"])(20, {"loss": 0.8})  # repeated from the last checkpoint
        log_to_file(record.curves["distill"])(30, {"loss": 0.5})
    assert losses(client, experiment) == [(10, 0.9), (20, 0.8), (30, 0.5)]
    record_cell(client, experiment, record)
    assert losses(client, experiment) == [(10, 0.9), (20, 0.8), (30, 0.5)]
    assert only_run(client, experiment).info.status == "FINISHED"
