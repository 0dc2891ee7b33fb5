"""Where a task's student comes from: the code, the data, the run in MLflow and the registered version."""

from mlflow.exceptions import MlflowException

from pipelines.paths import EVALUATION, MODELS, REGISTRY
from textbook.errors import UserError
from textbook.files import read_json
from textbook.reporting.page import Lineage
from tracking.address import reason, tracking_uri
from tracking.lineage import UNKNOWN, dvc_hashes
from tracking.state import registered_today
from tracking.store import connect, local_database, run_url


def lineage(task: str) -> Lineage:
    """The hashes of a student and its inputs and, once it is registered, its version, run and commit."""
    hashes = dvc_hashes([str(MODELS / task / "student"), str(EVALUATION / f"{task}.json")])
    path = REGISTRY / f"{task}.json"
    if not path.is_file():
        return Lineage({}, "", hashes)
    registered = registered_today(task, read_json(path))
    commit, url = _run(registered["run_id"])
    return Lineage({**registered, "git_commit": commit}, url, hashes)


def _run(run_id: str) -> tuple[str, str]:
    """The commit of a run, and its address in a browser; without them, the reason and an empty address."""
    if not tracking_uri() and not local_database().is_file():
        return f"{UNKNOWN}: there is no MLflow store", ""
    try:
        run = connect().get_run(run_id)
    except (MlflowException, UserError) as error:
        return f"{UNKNOWN}: {reason(error)}", ""
    changes = {"true": ", with uncommitted changes", UNKNOWN: ", perhaps with uncommitted changes"}
    commit = run.data.tags.get("mlflow.source.git.commit", UNKNOWN)
    return commit + changes.get(run.data.tags.get("git.dirty", ""), ""), run_url(run.info.experiment_id, run_id)
