"""The run of a cell: complete, resumed, and never doubled."""

from dataclasses import replace

import pytest
from mlflow.entities import Metric

from textbook.training.engine.log import log_to_file
from tracking.record import Input, Record, flatten
from tracking.runs import CELL, COMPLETE, PARENT, find_runs, record_cell


@pytest.fixture
def record(tmp_path):
    """A cell without a model, with a curve of two steps."""
    log = log_to_file(tmp_path / "history.jsonl")
    log(10, {"loss": 0.9})
    log(20, {"loss": 0.5})
    return Record(
        "digest",
        "films",
        "random",
        "task",
        "contextualized",
        params={f"part.{number}": number for number in range(120)},
        tags={"git.dirty": "false"},
        inputs=[Input("task", tmp_path, "0123456789abcdef0123456789abcdef.dir")],
        curves={"distill": tmp_path / "history.jsonl", "student/0": tmp_path / "not-there.jsonl"},
        metrics={"student/accuracy": 81.5},
    )


def losses(client, run_id):
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "distill/loss")]


def test_a_run_has_everything_of_its_record(client, experiment, record):
    run = client.get_run(record_cell(client, experiment, record, parent="sweep"))
    assert run.info.experiment_id == experiment
    assert (run.info.status, run.info.run_name) == ("FINISHED", "films · random · task · contextualized")
    assert run.data.params == {
        "task": "films",
        "init": "random",
        "teacher": "task",
        "textbook": "contextualized",
        **{f"part.{number}": str(number) for number in range(120)},
    }
    assert run.data.metrics == {"distill/loss": 0.5, "student/accuracy": 81.5}
    assert run.data.tags["git.dirty"] == "false"
    assert run.data.tags[PARENT] == "sweep"
    history = client.get_metric_history(run.info.run_id, "distill/loss")
    lines = record.curves["distill"].read_text().splitlines()
    assert [(metric.step, metric.value) for metric in history] == [(10, 0.9), (20, 0.5)]
    assert all(f'"time": {metric.timestamp}' in line for metric, line in zip(history, lines, strict=True))
    (entry,) = run.inputs.dataset_inputs
    assert entry.dataset.digest == "0123456789abcdef0123456789abcdef"
    assert [(tag.key, tag.value) for tag in entry.tags] == [("mlflow.data.context", "task")]


def test_a_cell_is_recorded_once(client, experiment, record):
    run_id = record_cell(client, experiment, record)
    assert record_cell(client, experiment, record) == run_id
    assert record_cell(client, experiment, replace(record, digest="another")) != run_id
    assert losses(client, run_id) == [(10, 0.9), (20, 0.5)]


def test_a_run_of_a_killed_process_is_completed(client, experiment, record):
    partial = client.create_run(experiment, tags={"mlflow.user": "", CELL: record.digest}).info
    client.set_tag(partial.run_id, "mlflow.user", find_user(client, experiment, record))
    client.log_batch(partial.run_id, metrics=[Metric("distill/loss", 0.9, 1, 10)])
    assert record_cell(client, experiment, record) == partial.run_id
    assert losses(client, partial.run_id) == [(10, 0.9), (20, 0.5)]
    assert client.get_run(partial.run_id).info.status == "FINISHED"


def find_user(client, experiment, record):
    """The user under whose name runs are recorded."""
    run_id = record_cell(client, experiment, replace(record, digest="to find the user"))
    return client.get_run(run_id).data.tags["mlflow.user"]


def test_a_run_that_was_started_under_another_digest_is_taken_over_once(client, experiment, record):
    begun = record_cell(client, experiment, replace(record, digest="begun"))
    client.delete_tag(begun, COMPLETE)
    client.set_terminated(begun, "FINISHED")
    assert record_cell(client, experiment, replace(record, digest="one"), begun_as="begun") == begun
    assert record_cell(client, experiment, replace(record, digest="two"), begun_as="begun") != begun


def test_duplicate_runs_of_a_cell_are_deleted(client, experiment, record):
    first = record_cell(client, experiment, record)
    second = record_cell(client, experiment, replace(record, digest="twin"))
    client.set_tag(second, CELL, record.digest)
    client.delete_tag(first, COMPLETE)
    assert record_cell(client, experiment, record) == second
    assert [run.info.run_id for run in find_runs(client, experiment, CELL, record.digest)] == [second]


def test_a_repeated_step_is_logged_once(client, experiment, record):
    log_to_file(record.curves["distill"])(20, {"loss": 0.4})
    assert losses(client, record_cell(client, experiment, record)) == [(10, 0.9), (20, 0.4)]


def test_flatten():
    assert flatten({"a": {"b": 1, "c": {}}, "d": [2]}) == {"a.b": 1, "a.c": {}, "d": [2]}
