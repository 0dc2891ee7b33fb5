"""Where a student comes from, as the report says it."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines.sections.lineage import lineage
from textbook.files import write_json

STUDENT = "data/models/films/student"
LOCK = f"""\
stages:
  teach:
    outs: [{{path: data/teacher, md5: abc}}]
  adapt:
    deps: [{{path: data/teacher, md5: abc}}]
    outs: [{{path: {STUDENT}, md5: def}}]
  other:
    outs: [{{path: data/other, md5: ghi}}]
"""


@pytest.fixture
def run_id(client: MlflowClient, experiment: str, tmp_path: Path) -> str:
    """The run of a registered student, which the stage wrote down. The store is in the working folder."""
    run: str = client.create_run(experiment, tags={"mlflow.source.git.commit": "c0ffee"}).info.run_id
    client.create_registered_model("films")
    client.create_model_version("films", tmp_path.as_uri(), run_id=run)
    write_json(Path("data/registry/films.json"), {"model": "films", "version": "1", "alias": "champion", "run_id": run})
    return run


def test_a_registered_student_has_the_commit_and_address_of_its_run_and_the_hashes_of_its_inputs(
    client: MlflowClient, experiment: str, run_id: str
) -> None:
    Path("dvc.lock").write_text(LOCK, encoding="utf-8")
    found = lineage("films")
    assert (found.registered["version"], found.registered["git_commit"]) == ("1", "c0ffee")
    assert found.run_url.endswith(f"/#/experiments/{experiment}/runs/{run_id}")
    assert found.hashes == {"data/teacher": "abc", STUDENT: "def"}
    client.set_tag(run_id, "git.dirty", "true")
    assert lineage("films").registered["git_commit"] == "c0ffee, with uncommitted changes"


def test_without_its_mlflow_the_reason_is_in_place_of_the_commit(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    found = lineage("films")
    assert found.registered["run_id"] == run_id
    assert found.registered["git_commit"].startswith("unknown: MLFLOW_TRACKING_URI = http://127.0.0.1:1: no MLflow")
    assert found.run_url == ""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    Path("copy").mkdir()
    (tmp_path / "copy" / "data").symlink_to(Path("data").absolute())
    monkeypatch.chdir(tmp_path / "copy")
    assert lineage("films").registered["git_commit"] == "unknown: there is no MLflow store"
    assert not Path("mlflow.db").exists()


def test_a_student_that_is_not_registered_has_only_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(LOCK, encoding="utf-8")
    found = lineage("films")
    assert (found.registered, found.run_url) == ({}, "")
    assert set(found.hashes) == {"data/teacher", STUDENT}
