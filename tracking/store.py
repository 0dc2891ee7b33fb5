"""The MLflow store: the local SQLite file, or the server of `MLFLOW_TRACKING_URI`."""

import logging
import os
import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from textbook.errors import UserError
from tracking.address import URI, open_connection, prepare_environment, reason, redact, tracking_uri

UI = "http://127.0.0.1:5000"  # the default address of `make ui`


def local_database() -> Path:
    """The SQLite file in the working folder."""
    return Path("mlflow.db").absolute()


def local_store() -> str:
    """The URI of the SQLite file. It is absolute because MLflow caches stores by URI.

    The path is escaped, as `?` and `%` mean something in a URI. The driver is named because MLflow would create the
    folder of a URI that begins with `sqlite:///`, without undoing the escapes.
    """
    return f"sqlite+pysqlite:///{quote(str(local_database()))}"


def local_artifacts() -> Path:
    """The folder of the local store's artefacts."""
    return Path("mlartifacts").absolute()


def run_url(experiment: str, run_id: str) -> str:
    """The address of a run in a browser: on the server of `MLFLOW_TRACKING_URI`, or on that of `make ui`.

    Args:
        experiment: the id of the experiment.
    """
    named = tracking_uri()
    server = named.rstrip("/") if urlsplit(named).scheme in ("http", "https") else UI
    return f"{server}/#/experiments/{experiment}/runs/{run_id}"


def connect(*, check: bool = True) -> MlflowClient:
    """A client of the server of `MLFLOW_TRACKING_URI`, or of the local store.

    Args:
        check: check that the server answers.

    Raises:
        UserError: the server doesn't answer, or the local store cannot be used.
    """
    prepare_environment()
    for name in ("transformers", "system_metrics"):  # these modules log every step
        logging.getLogger(f"mlflow.{name}").setLevel(logging.ERROR)
    uri = tracking_uri() or local_store()
    select(uri)
    if uri == local_store():
        return _open_database(uri)
    try:
        if check:
            open_connection(uri)
        client = MlflowClient(uri)
        if check:
            client.search_experiments(max_results=1)
    except (OSError, ImportError, MlflowException, SQLAlchemyError) as error:
        raise UserError(
            f"{URI} = {redact(uri)}: no MLflow server answers ({reason(error)});"
            " start the server, or unset the variable"
        ) from None
    return client


def _open_database(uri: str) -> MlflowClient:
    """A client of the local store.

    Raises:
        UserError: the file is damaged, cannot be written, or belongs to another version of MLflow.
    """
    path, schema = local_database(), None
    try:
        with closing(sqlite3.connect(path)) as database:  # fails at once; MLflow would try again for minutes
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            if tables:
                (schema,) = database.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
        if not os.access(path, os.W_OK):
            raise PermissionError("it is read-only")
        return MlflowClient(uri)
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"{path.name}: cannot be used as MLflow's database ({reason(error)})") from None
    except (MlflowException, SQLAlchemyError) as error:
        if "database schema" not in str(error):
            raise
        migrations = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
        ours = f"this is MLflow {version('mlflow')}"
        if schema and not any(migrations.glob(f"{schema}_*.py")):
            raise UserError(
                f"{path.name}: was written by a newer MLflow ({ours}); move it away, or install that one"
            ) from None
        raise UserError(
            f"{path.name}: was written by an older MLflow ({ours}); copy the file, then run"
            f" `mlflow db upgrade sqlite:///{path.name}`"
        ) from None


def select(uri: str) -> None:
    """Set the store of MLflow's functions that take no client, without changing `MLFLOW_TRACKING_URI`."""
    variable = os.environ.get(URI)
    mlflow.set_tracking_uri(uri)  # this also sets the variable, which child processes would inherit
    if variable:
        os.environ[URI] = variable
    else:
        os.environ.pop(URI, None)


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
