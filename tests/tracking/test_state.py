"""The state of a registered student comes from MLflow, not from the file of the stage."""

import pytest

from tracking.state import registered_today


@pytest.fixture
def written(client, experiment, tmp_path):
    """What the stage wrote for version 1, which was champion then. Today version 2 is."""
    client.create_registered_model("films")
    runs = [client.create_run(experiment).info.run_id for _ in range(2)]
    for run in runs:
        client.create_model_version("films", tmp_path.as_uri(), run_id=run)
    client.set_registered_model_alias("films", "champion", "2")
    return {"model": "films", "version": "7", "alias": "champion", "run_id": runs[0]}


def test_another_champion_is_seen(client, written):
    assert registered_today("films", written) == {**written, "version": "1", "alias": "none"}
    client.set_registered_model_alias("films", "challenger", "1")
    assert registered_today("films", written)["alias"] == "challenger"


def test_a_file_that_was_restored_without_its_mlflow_says_what_to_do(client, written, tmp_path, monkeypatch):
    unknown = registered_today("films", {**written, "run_id": "of another MLflow"})
    assert (unknown["version"], unknown["alias"][:5]) == ("none", "none:")
    other = tmp_path / "copy"
    other.mkdir()
    monkeypatch.chdir(other)
    assert "`dvc repro --force --single-item register@films`" in registered_today("films", written)["alias"]
    assert list(other.iterdir()) == []  # no empty database was made


def test_a_server_that_does_not_answer_is_said(written, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    state = registered_today("films", written)
    assert state["alias"].startswith("unknown: MLFLOW_TRACKING_URI = http://127.0.0.1:1: no MLflow server answers")
