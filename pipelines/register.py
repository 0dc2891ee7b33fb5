"""Stage `register@t`: complete the MLflow run with all that is known of the student, and register it.

The new version is the challenger. It becomes the champion if it passes the gate: both are measured here, in turns and
on the same rows, for figures of another day, another machine or another validation set say little.
"""

from functools import partial
from pathlib import Path

import numpy as np

from pipelines.labelled import measure_of, read_labelled
from pipelines.record import finished_record
from pipelines.stage import MODELS, REGISTRY, TASKS, run
from textbook.errors import UserError
from textbook.evaluation.cost import milliseconds, on_cpu
from textbook.files import read_json, write_json
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Params
from textbook.tasks.prepare import TRAIN, VALIDATION, read_split
from textbook.training.device import best_device
from textbook.training.tokens import collate
from tracking.card import summary
from tracking.promotion import TRAINING_ROWS, Measured, pass_gate
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
    rows = len(read_split(TASKS / task, TRAIN))
    version = register_model(client, task, run_id, {TRAINING_ROWS: str(rows)}, summary(record))
    alias = pass_gate(client, task, version, partial(_compare, params, task, rows), params.registry)
    write_json(REGISTRY / f"{task}.json", {"model": task, "version": version, "alias": alias, "run_id": run_id})
    print(f"{task}: registered as version {version}, {alias}, run {run_id}")


def _compare(
    params: Params, task: str, student_rows: int, champion: Path, champion_rows: int
) -> tuple[Measured, Measured]:
    """Measure the champion in a folder and the new student on the validation data of today.

    Raises:
        UserError: they don't answer with the same labels.
    """
    folders = champion, MODELS / task / "student"
    models = [read_classifier(folder) for folder in folders]
    labels = [[str(name) for _, name in sorted((model.config.id2label or {}).items())] for model in models]
    if labels[0] != labels[1]:
        raise UserError(f"it answers {', '.join(labels[0])}, and the new version {', '.join(labels[1])}")
    scores, batches = [], []
    for folder, model in zip(folders, models, strict=True):
        tokenizer = load_tokenizer(folder)
        measure = measure_of(task, params.task(task), tokenizer, params.adapt.max_length, best_device())
        scores.append(100 * next(iter(measure(model).values())))
        tokens = read_labelled(task, VALIDATION, tokenizer, params.adapt.max_length).tokens
        rows = np.arange(min(params.evaluate.latency_sentences, len(tokens)))
        batches.append([collate(tokens, rows[n : n + 1], tokenizer.pad_token_id) for n in rows])
    times = [
        [milliseconds({"gate": on_cpu(model)}, inputs)["gate"] for model, inputs in zip(models, batches, strict=True)]
        for _ in range(ROUNDS)
    ]
    fastest = [min(turns) for turns in zip(*times, strict=True)]
    seen = champion_rows, student_rows
    old, new = (Measured(*figures) for figures in zip(scores, fastest, seen, strict=True))
    return old, new


if __name__ == "__main__":
    run(register)
