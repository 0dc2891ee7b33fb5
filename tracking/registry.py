"""The model registry: one registered model per task, its versions, and the alias of the one to use."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import mlflow
import mlflow.transformers
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from textbook.files import sha256
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer

CHAMPION = "champion"
CHECKSUM = "sha256.model.safetensors"
REQUIREMENTS = ("torch", "transformers", "safetensors")


def register(client: MlflowClient, task: str, folder: Path, columns: Sequence[str], example: Sequence[str]) -> str:
    """Log the classifier in `folder` to the active run, register it under the task's name and make it champion.

    Args:
        columns: `sentence`, or the two sentences of a pair.
        example: an input of the model, a text for each column.

    Returns:
        The version.
    """
    names = ("text", "text_pair")  # what a text-classification pipeline calls them
    pair = len(columns) == 2
    inputs = Schema([ColSpec(DataType.string, name) for name in names] if pair else [ColSpec(DataType.string)])
    outputs = Schema([ColSpec(DataType.string, "label"), ColSpec(DataType.double, "score")])
    info = mlflow.transformers.log_model(
        {"model": read_classifier(folder), "tokenizer": load_tokenizer(folder)},
        name="model",
        task="text-classification",
        signature=ModelSignature(inputs, outputs),
        input_example=dict(zip(names, example, strict=True)) if pair else example[0],
        pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS],
        registered_model_name=task,
    )
    number = str(info.registered_model_version)
    client.set_model_version_tag(task, number, CHECKSUM, sha256(folder / "model.safetensors"))
    client.set_registered_model_alias(task, CHAMPION, number)
    return number
