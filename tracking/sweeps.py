"""The MLflow run of a sweep, the parent of its cells' runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from socket import gethostname

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from tracking.lineage import git_tags
from tracking.runs import PARENT, find_runs
from tracking.store import experiment_id

SWEEP = "textbook.sweep"  # tag of a sweep's run: the digest of its cells
PLACE = "textbook.place"  # tag of a sweep's run: the machine and the folder of its driver


@dataclass(frozen=True)
class SweepRun:
    """The run of a sweep. The driver starts it once and passes it to the workers."""

    experiment: str
    """The id of the experiment."""
    run_id: str
    """The id of the run, the parent of the cells' runs."""


def start_sweep(client: MlflowClient, experiment: str, name: str, digest: str, tags: Mapping[str, str]) -> SweepRun:
    """Start the run of a sweep, or resume it.

    Runs that an earlier, killed sweep from this folder left running are ended.

    Args:
        experiment: the name of the experiment, which is created if necessary.
        name: the name of the run.
        digest: the identity of the sweep: the same grid with the same inputs has the same digest.
        tags: additional tags for the run.
    """
    number = experiment_id(client, experiment)
    place = f"{gethostname()}:{Path.cwd()}"
    for earlier in find_runs(client, number, PLACE, place):
        for cell in find_runs(client, number, PARENT, earlier.info.run_id):
            _end_if_running(client, cell.info.run_id, cell.info.status)
        _end_if_running(client, earlier.info.run_id, earlier.info.status)
    runs = find_runs(client, number, SWEEP, digest)
    all_tags = {"mlflow.user": getuser(), SWEEP: digest, PLACE: place, **git_tags(), **tags}
    if not runs:
        return SweepRun(number, str(client.create_run(number, tags=all_tags, run_name=name).info.run_id))
    run_id = str(runs[0].info.run_id)
    client.update_run(run_id, status="RUNNING", name=name)
    client.set_tag(run_id, PLACE, place)
    return SweepRun(number, run_id)


def end_sweep(client: MlflowClient, sweep: SweepRun, tables: Sequence[Path], verdicts: str, *, complete: bool) -> None:
    """End the run of a sweep, with the tables of its cells that exist as artefacts.

    Args:
        verdicts: becomes the description of the run, in Markdown.
        complete: whether no cell failed; otherwise the run's status is FAILED.
    """
    for table in tables:
        if table.is_file():
            client.log_artifact(sweep.run_id, str(table))
    client.set_tag(sweep.run_id, MLFLOW_RUN_NOTE, verdicts)
    client.set_terminated(sweep.run_id, "FINISHED" if complete else "FAILED")


def _end_if_running(client: MlflowClient, run_id: str, status: str) -> None:
    if status in ("RUNNING", "SCHEDULED"):
        client.set_terminated(run_id, "KILLED")
