"""Stage `register@task`: complete the MLflow run of the student, and register the student.

The new version is the challenger. It becomes the champion if it passes the gate: it must be better than simple
baselines, by the figures of the stage `evaluate`, and better than the champion, or faster with
`registry.fastest_within`. Student and champion are measured here, in turns and on the same rows, because figures from
another day, machine or validation set are not comparable.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from pipelines.cli import run
from pipelines.paths import EVALUATION, MODELS, REGISTRY, TASKS
from pipelines.record import evaluated_record
from pipelines.worth import concern
from textbook.errors import UserError
from textbook.evaluation.cost import milliseconds, on_cpu, single_texts
from textbook.evaluation.metrics import measure_on_validation
from textbook.files import read_json, write_json
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Params
from textbook.reporting.verdict import warning
from textbook.tasks.splits import TRAIN, VALIDATION, read_split
from textbook.training.engine.device import best_device
from textbook.training.finetuning.labelled import read_labelled
from tracking.card import summary
from tracking.promotion import TRAINING_ROWS, Measured, pass_gate
from tracking.registry import BYTES, MILLISECONDS, SCORE, register
from tracking.runs import record_cell
from tracking.store import connect, experiment_id

ROUNDS = 3  # of timing; in each, both models are timed once


def main(params: Params, task: str) -> None:
    """Complete the run, register the student, and write the version, its alias and its run.

    Raises:
        UserError: the student could not be compared with the champion. Nothing is written, so DVC runs the stage again.
    """
    client = connect()
    begun_as = read_json(MODELS / task / "distilled" / "run.json")["cell"]
    figures = read_json(EVALUATION / f"{task}.json")
    record = replace(evaluated_record(params, task), concern=concern(params, task, figures))
    run_id = record_cell(client, experiment_id(client, params.tracking.experiment), record, begun_as=begun_as)
    rows = len(read_split(TASKS / task, TRAIN))
    tags = {name: str(figures["student"][name]) for name in (SCORE, MILLISECONDS, BYTES)}
    version = register(client, task, run_id, {TRAINING_ROWS: str(rows), **tags}, summary(record))
    teacher_score = figures["teacher"]["score"]
    alias = pass_gate(
        client,
        task,
        version,
        partial(_compare, params, task, rows, teacher_score),
        params.registry,
        warning=warning(figures, params.task(task).metrics[0]),
        behind=round(teacher_score - figures["student"]["score"], 2),
    )
    write_json(REGISTRY / f"{task}.json", {"model": task, "version": version, "alias": alias, "run_id": run_id})
    print(f"{task}: registered as version {version}, {alias}, run {run_id}")


def _compare(
    params: Params, task: str, student_rows: int, teacher_score: float, champion: Path, champion_rows: int
) -> tuple[Measured, Measured]:
    """Measure the champion in a folder and the new student on today's validation data.

    Raises:
        UserError: their labels differ.
    """
    folders = champion, MODELS / task / "student"
    models = [read_classifier(folder) for folder in folders]
    labels = [[str(name) for _, name in sorted((model.config.id2label or {}).items())] for model in models]
    if labels[0] != labels[1]:
        raise UserError(f"its labels ({', '.join(labels[0])}) differ from the new version's ({', '.join(labels[1])})")
    scores, batches = [], []
    for folder, model in zip(folders, models, strict=True):
        tokenizer = load_tokenizer(folder)
        measure = measure_on_validation(
            TASKS / task, params.task(task).metrics, tokenizer, params.adapt.max_length, best_device()
        )
        scores.append(100 * next(iter(measure(model).values())))
        tokens = read_labelled(TASKS / task, VALIDATION, tokenizer, params.adapt.max_length).tokens
        batches.append(single_texts(tokens, params.evaluate.latency_sentences, tokenizer.pad_token_id))
    times = [
        [milliseconds({"gate": on_cpu(model)}, inputs)["gate"] for model, inputs in zip(models, batches, strict=True)]
        for _ in range(ROUNDS)
    ]
    fastest = [min(turns) for turns in zip(*times, strict=True)]
    training_rows = champion_rows, student_rows
    behind = [round(teacher_score - score, 2) for score in scores]
    old, new = (Measured(*values) for values in zip(scores, fastest, training_rows, behind, strict=True))
    return old, new


if __name__ == "__main__":
    run(main)
