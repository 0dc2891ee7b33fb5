"""The MLflow store: the local SQLite file, or the server of `MLFLOW_TRACKING_URI`."""

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
UI = "http://127.0.0.1:5000"  # the default address of `make ui`
# By default, MLflow waits two minutes for a response and retries for another four, which is too long during training.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the commands print their own output
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
CONNECT_SECONDS = 5  # time limit for opening a connection


def local_store() -> str:
    """The URI of the SQLite file in the working folder. It is absolute because MLflow caches stores by URI."""
    return f"sqlite:///{Path('mlflow.db').absolute()}"


def local_artifacts() -> Path:
    """The folder of the local store's artefacts."""
    return Path("mlartifacts").absolute()


def run_url(experiment: str, run_id: str) -> str:
    """The address of a run in a browser: on the server of `MLFLOW_TRACKING_URI`, or on that of `make ui`.

    Args:
        experiment: the id of the experiment.
    """
    named = os.environ.get(URI, "")
    server = named.rstrip("/") if urlsplit(named).scheme in ("http", "https") else UI
    return f"{server}/#/experiments/{experiment}/runs/{run_id}"


def connect(*, check: bool = True) -> MlflowClient:
    """A client of the server of `MLFLOW_TRACKING_URI`, or of the local store.

    Args:
        check: check that the server answers.

    Raises:
        UserError: the server doesn't answer.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    uri = os.environ.get(URI) or local_store()
    for name in ("transformers", "system_metrics"):  # these modules log every step
        logging.getLogger(f"mlflow.{name}").setLevel(logging.ERROR)
    select(uri)
    client = MlflowClient(uri)
    if check and uri != local_store():
        try:
            _open_connection(uri)
            client.search_experiments(max_results=1)
        except (OSError, MlflowException) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{URI} = {uri}: no MLflow server answers ({reason}); start the server, or unset the variable"
            ) from None
    return client


def select(uri: str) -> None:
    """Set the store of MLflow's functions that take no client, without changing `MLFLOW_TRACKING_URI`."""
    variable = os.environ.get(URI)
    mlflow.set_tracking_uri(uri)  # this also sets the variable, which child processes would inherit
    if variable:
        os.environ[URI] = variable
    else:
        os.environ.pop(URI, None)


def _open_connection(uri: str) -> None:
    """Fail immediately if nothing listens, instead of after MLflow's retries."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()


def experiment_id(client: MlflowClient, name: str) -> str:
    """The id of an experiment, which is created or restored if necessary."""
    for _ in range(2):  # again if another process creates it at the same time
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
    raise AssertionError(f"experiment {name!r} exists, but MLflow does not return it")
