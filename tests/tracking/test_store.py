"""The local store: odd paths, and files that MLflow cannot use."""

import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from textbook.errors import UserError
from tracking.server import enable_wal
from tracking.store import connect, experiment_id


@pytest.mark.parametrize("name", ["a?b=c", "a%20b", "a#b;c&d e", "ü'x"])
def test_a_project_with_any_name_keeps_its_runs_in_its_own_folder(client, tmp_path, monkeypatch, name):
    project = tmp_path / "projects" / name
    project.mkdir(parents=True)
    (tmp_path / "mlflow.db").rename(project / "mlflow.db")
    monkeypatch.chdir(project)
    inside = connect()
    run = inside.create_run(experiment_id(inside, "cells"))
    enable_wal()
    (project / "note.txt").write_text("kept")
    inside.log_artifact(run.info.run_id, "note.txt")
    note = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="note.txt")
    assert Path(note).read_text() == "kept"
    with closing(sqlite3.connect(project / "mlflow.db")) as database:
        assert database.execute("SELECT run_uuid FROM runs").fetchall() == [(run.info.run_id,)]
    assert [path.name for path in project.parent.iterdir()] == [name]
    assert list((project / "mlartifacts").rglob("note.txt"))


def set_schema(path, revision):
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])
        database.commit()


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("451aebb31d03", "an older MLflow .*; copy the file, then run `mlflow db upgrade sqlite:///mlflow.db`"),
        ("ffffffffffff", "a newer MLflow .*; move it away, or install that one"),
    ],
)
def test_a_database_of_another_mlflow_is_one_line_with_the_remedy(client, tmp_path, monkeypatch, revision, message):
    project = tmp_path / "project"  # MLflow has opened the file of `client` already
    project.mkdir()
    (tmp_path / "mlflow.db").rename(project / "mlflow.db")
    set_schema(project / "mlflow.db", revision)
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=rf"^mlflow\.db: was written by {message}$") as error:
        connect()
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_is_no_database_is_one_line_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").write_bytes(b"<html>" * 1000)
    with pytest.raises(
        UserError, match=r"^mlflow\.db: cannot be used as MLflow's database \(file is not a database\)$"
    ):
        connect()


def test_a_folder_in_place_of_the_database_is_one_line_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(UserError, match=r"^mlflow\.db: cannot be used .*unable to open"):
        connect()
