"""Where runs and models are recorded."""

import logging
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from textbook.errors import UserError

URI = "MLFLOW_TRACKING_URI"
UI = "http://127.0.0.1:5000"  # of `make ui`, unless it is told another port
# MLflow waits two minutes for an answer and asks for another four; who trains doesn't want to wait so long.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the output is ours
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
SECONDS = 5  # to open a connection


def local_store() -> str:
    """The URI of the SQLite file in this folder; absolute, because MLflow keeps stores open by their URI."""
    return f"sqlite:///{Path('mlflow.db').absolute()}"


def local_artifacts() -> Path:
    """The folder of the models and files that belong to the runs of the local store."""
    return Path("mlartifacts").absolute()


def run_url(experiment: str, run_id: str) -> str:
    """Where a browser finds a run: on the server that `MLFLOW_TRACKING_URI` names, or that of `make ui`.

    Args:
        experiment: the id of the experiment.
    """
    named = os.environ.get(URI, "")
    server = named.rstrip("/") if urlsplit(named).scheme in ("http", "https") else UI
    return f"{server}/#/experiments/{experiment}/runs/{run_id}"


def connect(*, check: bool = True) -> MlflowClient:
    """A client of the server that `MLFLOW_TRACKING_URI` names, or of the local store.

    Args:
        check: make sure that the server answers.

    Raises:
        UserError: it doesn't.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    uri = os.environ.get(URI) or local_store()
    for name in ("transformers", "system_metrics"):  # which tell what they do, step by step
        logging.getLogger(f"mlflow.{name}").setLevel(logging.ERROR)
    select(uri)
    client = MlflowClient(uri)
    if check and uri != local_store():
        try:
            _open_connection(uri)
            client.search_experiments(max_results=1)
        except (OSError, MlflowException) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{URI} = {uri}: no MLflow server answers ({reason}); start it, or unset it") from None
    return client


def select(uri: str) -> None:
    """Have MLflow's functions that take no client use a store, without naming it to the processes that we start."""
    named = os.environ.get(URI)
    mlflow.set_tracking_uri(uri)  # sets the variable, too
    if named:
        os.environ[URI] = named
    else:
        os.environ.pop(URI, None)


def _open_connection(uri: str) -> None:
    """Fail at once where nothing listens."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), timeout=SECONDS).close()


def experiment_id(client: MlflowClient, name: str) -> str:
    """The id of an experiment, made if it isn't there; of several that want it at once, one makes it."""
    for _ in range(2):
        experiment = client.get_experiment_by_name(name)
        if experiment and experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        if experiment:
            return str(experiment.experiment_id)
        local = client.tracking_uri == local_store()
        try:
            return str(client.create_experiment(name, artifact_location=local_artifacts().as_uri() if local else None))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
    raise AssertionError("an experiment that exists was not found")
