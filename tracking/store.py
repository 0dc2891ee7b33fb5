"""Where runs and models are recorded."""

import os
from pathlib import Path

import mlflow
from mlflow import MlflowClient


def local_store() -> str:
    """The URI of the SQLite file in this folder; absolute, because MLflow keeps stores open by their URI."""
    return f"sqlite:///{Path('mlflow.db').absolute()}"


def local_artifacts() -> Path:
    """The folder of the models and files that belong to the runs of the local store."""
    return Path("mlartifacts").absolute()


def connect() -> MlflowClient:
    """A client of the server that `MLFLOW_TRACKING_URI` names, or of the local store."""
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or local_store())
    return MlflowClient()


def experiment_id(client: MlflowClient, name: str) -> str:
    """The id of an experiment, made if it isn't there."""
    experiment = client.get_experiment_by_name(name)
    if experiment:
        return str(experiment.experiment_id)
    local = mlflow.get_tracking_uri() == local_store()
    return str(client.create_experiment(name, artifact_location=local_artifacts().as_uri() if local else None))
