"""The run of a sweep, under which the runs of its cells stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from socket import gethostname

from mlflow import MlflowClient

from tracking.lineage import git_tags
from tracking.runs import PARENT, find_runs
from tracking.store import experiment_id

SWEEP = "textbook.sweep"  # tag of a run: what identifies the grid
PLACE = "textbook.place"  # tag of a sweep's run: the machine and the folder of its driver


@dataclass(frozen=True)
class Sweep:
    """Where the cells of a sweep are recorded; made once, in the driver, and handed to the workers."""

    experiment: str
    """The id of the experiment."""
    run_id: str
    """The id of the sweep's run, the parent of the cells' runs."""


def start_sweep(client: MlflowClient, experiment: str, name: str, digest: str, tags: Mapping[str, str]) -> Sweep:
    """Open the run of a sweep, or go on with it; runs that a killed sweep of this folder left running are ended.

    Args:
        experiment: the name of the experiment; it is made if need be.
        name: what the run is called.
        digest: what identifies the sweep: equal for the same grid of the same inputs.
        tags: more tags for its run.
    """
    number = experiment_id(client, experiment)
    place = f"{gethostname()}:{Path.cwd()}"
    for left in find_runs(client, number, PLACE, place):
        for cell in find_runs(client, number, PARENT, left.info.run_id):
            _end_if_running(client, cell.info.run_id, cell.info.status)
        _end_if_running(client, left.info.run_id, left.info.status)
    found = find_runs(client, number, SWEEP, digest)
    all_tags = {"mlflow.user": getuser(), SWEEP: digest, PLACE: place, **git_tags(), **tags}
    if not found:
        return Sweep(number, str(client.create_run(number, tags=all_tags, run_name=name).info.run_id))
    run_id = str(found[0].info.run_id)
    client.update_run(run_id, status="RUNNING", name=name)
    client.set_tag(run_id, PLACE, place)
    return Sweep(number, run_id)


def end_sweep(client: MlflowClient, sweep: Sweep, table: Path, *, complete: bool) -> None:
    """Keep the table of the cells with the sweep's run if there is one, and end it: failed if cells are missing."""
    if table.is_file():
        client.log_artifact(sweep.run_id, str(table))
    client.set_terminated(sweep.run_id, "FINISHED" if complete else "FAILED")


def _end_if_running(client: MlflowClient, run_id: str, status: str) -> None:
    if status in ("RUNNING", "SCHEDULED"):
        client.set_terminated(run_id, "KILLED")
