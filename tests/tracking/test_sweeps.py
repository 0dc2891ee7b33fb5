"""The run of a sweep: resumed, ended, and left alone if it belongs to another driver."""

import pytest

from tracking.runs import CELL, PARENT
from tracking.store import experiment_id
from tracking.sweeps import end_sweep, start_sweep


def begin(client, digest="grid"):
    return start_sweep(client, "textbook", "sweep", digest, {"grid": "2 x 2"})


def status(client, run_id):
    return client.get_run(run_id).info.status


def cell_of(client, sweep, digest):
    user = client.get_run(sweep.run_id).data.tags["mlflow.user"]
    tags = {"mlflow.user": user, CELL: digest, PARENT: sweep.run_id}
    return client.create_run(sweep.experiment, tags=tags).info.run_id


def test_the_same_sweep_resumes_its_run(client, tmp_path):
    first = begin(client)
    assert first.experiment == experiment_id(client, "textbook")
    assert client.get_run(first.run_id).data.tags["grid"] == "2 x 2"
    (tmp_path / "sweep.csv").write_text("a\n")
    end_sweep(client, first, [tmp_path / "sweep.csv"], "- **A claim.** Undecided.", complete=False)
    assert status(client, first.run_id) == "FAILED"
    assert begin(client) == first
    assert status(client, first.run_id) == "RUNNING"
    end_sweep(client, first, [tmp_path / "sweep.csv"], "- **A claim.** Undecided.", complete=True)
    assert status(client, first.run_id) == "FINISHED"
    assert [file.path for file in client.list_artifacts(first.run_id)] == ["sweep.csv"]
    assert client.get_run(first.run_id).data.tags["mlflow.note.content"] == "- **A claim.** Undecided."


@pytest.mark.parametrize("digest", ["grid", "another grid"])
def test_runs_of_a_killed_sweep_are_ended(client, digest):
    killed = begin(client)
    running, finished = (cell_of(client, killed, name) for name in ("one", "two"))
    client.set_terminated(finished, "FINISHED")
    begin(client, digest)
    assert status(client, running) == "KILLED"
    assert status(client, finished) == "FINISHED"
    assert status(client, killed.run_id) == ("RUNNING" if digest == "grid" else "KILLED")


def test_sweeps_of_other_drivers_are_left_alone(client):
    other = begin(client)
    running = cell_of(client, other, "one")
    client.set_tag(other.run_id, "textbook.place", "elsewhere:/a/folder")
    begin(client, "another grid")
    assert status(client, other.run_id) == status(client, running) == "RUNNING"
