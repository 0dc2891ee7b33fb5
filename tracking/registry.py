"""The model registry: one registered model per task, with its versions."""

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelStatus, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from textbook.errors import UserError
from textbook.files import sha256
from tracking.address import reason
from tracking.card import CARD, card
from tracking.record import Record

CHAMPION = "champion"  # alias of the version to use
CHALLENGER = "challenger"  # alias of the newest version, until it becomes champion
REASONS = "gate.reasons"  # tag of a version: the outcome of each rule of the gate, or why it could not be judged
CHECKSUM = "sha256."  # prefix of the tags with the hash of each file of the model
SCORE, MILLISECONDS, BYTES = "score", "ms_per_sentence", "bytes"
"""Tags of a version: the figures of the stage `evaluate` on its student, when it was registered."""
PAIR = ("text", "text_pair")  # the names of the inputs of a model of pairs
REQUIREMENTS = ("torch", "transformers", "safetensors")
ADDED_BY_MLFLOW = "registered_model_meta"  # a file that MLflow adds when it downloads a model


def log_classifier(client: MlflowClient, record: Record) -> None:
    """Log the student to the active run, with signature, input example, pinned requirements and model card."""
    # Imported here: they take seconds, and most commands log no model.
    import mlflow.transformers
    import transformers

    from textbook.models.classifier import read_classifier
    from textbook.models.encoder import load_tokenizer

    assert record.model
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # one for each student
    pair = len(record.example) == 2
    info = mlflow.transformers.log_model(
        {"model": read_classifier(record.model), "tokenizer": load_tokenizer(record.model)},
        name="model",
        task="text-classification",
        signature=signature(pair=pair),
        input_example=dict(zip(PAIR, record.example, strict=True)) if pair else record.example[0],
        pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS],
    )
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / CARD).write_text(card(record), encoding="utf-8")
        client.log_model_artifact(info.model_id, str(Path(name) / CARD))
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{info.model_id}", dst_path=f"{name}/model"))
        client.set_logged_model_tags(info.model_id, checksums(folder))


def signature(*, pair: bool) -> ModelSignature:
    """The inputs and outputs of a text-classification pipeline, for a text or for a pair of texts."""
    inputs = Schema([ColSpec(DataType.string, name) for name in PAIR] if pair else [ColSpec(DataType.string)])
    outputs = Schema([ColSpec(DataType.string, "label"), ColSpec(DataType.double, "score")])
    return ModelSignature(inputs, outputs)


def checksums(folder: Path) -> dict[str, str]:
    """The hashes of the files of a downloaded model, as tags."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ADDED_BY_MLFLOW)
    return {f"{CHECKSUM}{path.relative_to(folder)}": sha256(path) for path in files}


def logged_model(client: MlflowClient, run: Run) -> LoggedModel | None:
    """The complete model of a run, or None. Incomplete models, left by a killed process, are deleted."""
    query = f"source_run_id = '{run.info.run_id}'"
    complete = None
    for model in client.search_logged_models([run.info.experiment_id], query):
        if any(name.startswith(CHECKSUM) for name in model.tags) and model.status == LoggedModelStatus.READY:
            complete = model
        else:
            client.delete_logged_model(model.model_id)
    return complete


def register(client: MlflowClient, task: str, run_id: str, tags: Mapping[str, str], description: str) -> str:
    """Register the model of a complete run under the task's name, as challenger.

    If the model is registered already, its version stays, and gets the tags that it lacks. A registered model that was
    deleted is created again.

    Args:
        tags: additional tags for the version.

    Returns:
        The version.

    Raises:
        UserError: the registry reported an error.
    """
    try:
        model = logged_model(client, client.get_run(run_id))
        assert model, "the run of a recorded cell has a model"
        if not client.search_registered_models(f"name = '{task}'"):
            client.create_registered_model(task)
        existing = client.search_model_versions(f"name = '{task}' AND run_id = '{run_id}'")
        if existing:
            version = str(existing[0].version)
            for name in tags.keys() - existing[0].tags.keys():
                client.set_model_version_tag(task, version, name, tags[name])
            return version
        hashes = {name: value for name, value in model.tags.items() if name.startswith(CHECKSUM)}
        created = client.create_model_version(
            task,
            f"models:/{model.model_id}",
            run_id=run_id,
            tags={**hashes, **tags},
            description=description,
            model_id=model.model_id,
        )
        client.set_registered_model_alias(task, CHALLENGER, created.version)
    except MlflowException as error:
        raise UserError(f"registered model {task!r}: {reason(error)}; run the same command again") from None
    return str(created.version)


def version_with_alias(client: MlflowClient, task: str, alias: str) -> ModelVersion | None:
    """The version of a task's model with an alias; None if the registry says that there is none.

    Raises:
        UserError: the registry does not answer.
    """
    try:
        # The search answers with what exists. To ask for the alias itself would be answered with an error, as would a
        # request that a proxy sends astray.
        models = client.search_registered_models(f"name = '{task}'")
        version = next((model.aliases.get(alias) for model in models if model.name == task), None)
        return client.get_model_version(task, str(version)) if version else None
    except MlflowException as error:
        raise UserError(f"registered model {task!r}: cannot be looked up ({reason(error)})") from None


def all_versions(client: MlflowClient, task: str) -> list[ModelVersion]:
    """The versions of a task's model, the oldest first; none if it is not registered.

    Raises:
        UserError: the registry does not answer.
    """
    try:
        versions = client.search_model_versions(f"name = '{task}'")
    except MlflowException as error:
        raise UserError(f"registered model {task!r}: cannot be looked up ({reason(error)})") from None
    return sorted(versions, key=lambda version: int(version.version))


def not_registered(client: MlflowClient, task: str, which: str = "") -> UserError:
    """The error that a task has no registered model, or none of a kind, such as one with an alias."""
    names = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
    return UserError(
        f"no model {task!r}{which} is registered (registered: {names});"
        f" to register this project's model, run `dvc repro --force --single-item register@{task}`"
    )
