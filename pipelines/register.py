"""Stage `register@t`: complete the MLflow run with all that is known of the student, and register it.

The new version is the challenger. It becomes the champion if it passes the gate: both are measured here, in turns and
on the same rows, for figures of another day, another machine or another validation set say little.
"""

import tempfile
from pathlib import Path

import numpy as np
from mlflow import MlflowClient

from pipelines.labelled import read_labelled
from pipelines.record import finished_record
from pipelines.stage import MODELS, REGISTRY, TASKS, run
from textbook.errors import UserError
from textbook.evaluation.cost import cpu_milliseconds
from textbook.files import read_json, write_json
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Params
from textbook.tasks.prepare import read_split
from textbook.training.device import best_device
from textbook.training.finetune import predict
from textbook.training.tokens import collate
from tracking.card import summary
from tracking.promotion import CHAMPION, DECISION, TRAINING_ROWS, Measured, champion_of, decide, judge
from tracking.pull import pull
from tracking.registry import CHALLENGER
from tracking.registry import register as register_model
from tracking.runs import record_cell
from tracking.store import connect, experiment_id

ROUNDS = 3  # of turns in which both models are timed


def register(params: Params, task: str) -> None:
    """Write which run and which version of the registered model the student became."""
    client = connect()
    begun_as = read_json(MODELS / task / "distilled" / "run.json")["cell"]
    record = finished_record(params, task)
    run_id = record_cell(client, experiment_id(client, params.tracking.experiment), record, begun_as=begun_as)
    tags = {TRAINING_ROWS: str(len(read_split(TASKS / task, "train")))}
    version = register_model(client, task, run_id, tags, summary(record))
    alias = _pass_gate(client, params, task, version)
    write_json(REGISTRY / f"{task}.json", {"model": task, "version": version, "alias": alias, "run_id": run_id})
    print(f"{task}: registered as version {version}, {alias}, run {run_id}")


def _pass_gate(client: MlflowClient, params: Params, task: str, version: str) -> str:
    """Decide on a version, unless that was done before; gives its alias."""
    champion = champion_of(client, task)
    if champion and str(champion.version) == version:
        return CHAMPION
    if DECISION in client.get_model_version(task, version).tags:
        return CHALLENGER
    with tempfile.TemporaryDirectory() as name:
        if not champion:
            promoted, reasons = True, ["yes: there is no champion"]
        else:
            try:
                pull(task, CHAMPION, Path(name) / "champion")
                rows = champion.tags.get(TRAINING_ROWS), client.get_model_version(task, version).tags[TRAINING_ROWS]
                folders = Path(name) / "champion", MODELS / task / "student"
                promoted, reasons = judge(*_measure(params, task, folders, rows), params.registry)
            except UserError as error:
                promoted, reasons = True, [f"yes: the champion cannot be used: {error}"]
    for reason in reasons:
        print(f"{task}: {reason}")
    decide(client, task, version, promoted, reasons)
    return CHAMPION if promoted else CHALLENGER
