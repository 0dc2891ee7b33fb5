import json
from pathlib import Path

import pytest

from textbook.params import load_params
from textbook.training.log import log_to_file
from tracking.runs import completed_run, flatten, live_run
from tracking.store import connect, experiment_id

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params(tmp_path, monkeypatch):
    """The shipped parameters, in an empty folder of its own store."""
    found = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return found


def distilled(params, folder):
    """A distillation of two steps, logged live; gives its run id."""
    folder.mkdir()
    with live_run(params, "rotten_tomatoes", folder / "run.json") as log:
        both = log_to_file(folder / "history.jsonl", then=log)
        both(10, {"loss": 0.9})
        both(20, {"loss": 0.5})
    return json.loads((folder / "run.json").read_text())["run_id"]


def losses(client, run_id):
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "distill/loss")]


def test_a_run_is_opened_live_and_completed_later(params, tmp_path):
    run_id = distilled(params, tmp_path / "student")
    with completed_run(params, "rotten_tomatoes", tmp_path / "student", "result") as completed:
        assert completed == run_id
    client = connect()
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "rotten_tomatoes · random · task · contextualized"
    assert run.data.params["distill.relation_heads"] == str(params.distill.relation_heads)
    assert run.data.tags["mlflow.source.git.commit"]
    assert losses(client, run_id) == [(10, 0.9), (20, 0.5)]
    assert client.get_experiment(run.info.experiment_id).name == params.tracking.experiment


def test_a_second_result_of_the_same_student_gets_a_run_of_its_own(params, tmp_path):
    run_id = distilled(params, tmp_path / "student")
    ids = []
    for result in ("first", "first", "second"):
        with completed_run(params, "rotten_tomatoes", tmp_path / "student", result) as completed:
            ids.append(completed)
    assert ids[:2] == [run_id, run_id]
    assert ids[2] != run_id
    assert losses(connect(), ids[2]) == [(10, 0.9), (20, 0.5)]


def test_a_student_from_elsewhere_gets_a_run_with_its_history(params, tmp_path):
    run_id = distilled(params, tmp_path / "student")
    connect().delete_run(run_id)
    with completed_run(params, "rotten_tomatoes", tmp_path / "student", "result") as completed:
        pass
    assert completed != run_id
    assert losses(connect(), completed) == [(10, 0.9), (20, 0.5)]


def test_a_killed_distillation_goes_on_in_its_run(params, tmp_path):
    record = tmp_path / "run.json"

    def die():
        with live_run(params, "rotten_tomatoes", record) as log:
            log(10, {"loss": 0.9})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    with live_run(params, "rotten_tomatoes", record) as log:
        log(20, {"loss": 0.5})
    client = connect()
    runs = client.search_runs([experiment_id(client, params.tracking.experiment)])
    assert [run.info.status for run in runs] == ["FINISHED"]
    assert losses(client, runs[0].info.run_id) == [(10, 0.9), (20, 0.5)]


def test_flatten():
    assert flatten({"a": {"b": 1, "c": {}}, "d": [2]}) == {"a.b": 1, "a.c": {}, "d": [2]}
