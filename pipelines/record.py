"""The MLflow record of a student, for the stages and for the cells of a sweep."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.paths import CORPUS, EVALUATION, MODELS, TASKS, textbook_files
from textbook.files import digest, hash_folder, read_json, sha256
from textbook.params import Params
from textbook.reporting.table import columns, comparison
from textbook.tasks.splits import VALIDATION, read_split, text_columns
from textbook.training.engine.log import read_history
from tracking.lineage import dvc_hashes, git_tags
from tracking.record import Input, Record, flatten
from tracking.usage import costs, training_seconds, training_tokens


def start_record(params: Params, task: str, key: str, hashes: Mapping[str, str], history: Path) -> Record:
    """The record of a student when its distillation starts.

    Args:
        params: the section `distill` describes the student.
        key: the identity of the student.
        hashes: DVC's MD5 hashes of all inputs of the student, by path.
        history: the history file of the distillation.
    """
    settings = params.distill
    sections: dict[str, Any] = params.model_dump(exclude={"assets", "tasks", "sweep"})
    books = [("textbook", path) for path in textbook_files(task, settings.textbook)]
    return Record(
        key,
        task,
        settings.init,
        settings.teacher,
        settings.textbook,
        top_percent=settings.top_percent,
        params=flatten({**sections, "tasks": {task: params.task(task).model_dump()}}),
        tags={**git_tags(), **{f"dvc.{path}": md5 for path, md5 in hashes.items()}},
        inputs=[
            Input(context, path, hashes.get(str(path)))
            for context, path in (("task", TASKS / task), ("corpus", CORPUS), *books)
        ],
        curves={"distill": history},
        pairs=_pairs(books[0][1].with_suffix(".json")),
    )


def _pairs(figures: Path) -> dict[str, float]:
    """Those of a textbook's figures that are about its pairs; none for single sentences."""
    return {name: value for name, value in read_json(figures).items() if "pair" in name} if figures.is_file() else {}


def with_student(record: Record, params: Params, task: str, student: Path, metrics: Mapping[str, float]) -> Record:
    """The record, extended by the adapted student and its metrics.

    Args:
        student: the student's folder.
    """
    rows = read_split(TASKS / task, VALIDATION)
    return replace(
        record,
        curves={**record.curves, **adaptation_curves("student", student)},
        metrics=metrics,
        model=student,
        example=[str(rows[column][0].as_py()) for column in text_columns(params.task(task))],
    )


def evaluated_record(params: Params, task: str) -> Record:
    """The record of the student that the stages have trained and evaluated."""
    models, evaluation = MODELS / task, EVALUATION / f"{task}.json"
    student, history = models / "student", models / "distilled" / "history.jsonl"
    hashes = dvc_hashes([str(student), str(evaluation)])
    record = start_record(params, task, digest(hash_folder(student), sha256(evaluation)), hashes, history)
    evaluated = read_json(evaluation)
    metrics = {
        f"{model}/{name}": value for model, figures in evaluated.items() for name, value in flatten(figures).items()
    }
    lines = read_history(history)
    seconds = training_seconds(lines) + sum(
        training_seconds(read_history(path)) for path in adaptation_curves("student", student).values()
    )
    cost_metrics = costs(seconds, training_tokens(lines), params.tracking.cost_per_hour)
    record = with_student(record, params, task, student, {**metrics, **cost_metrics})
    more_curves = {
        "teacher/0": models / "teacher" / "history.jsonl",
        **adaptation_curves("scratch", models / "scratch"),
    }
    metric = params.task(task).metrics[0]
    results = [columns(evaluated, metric), *comparison(evaluated, metric)]
    return replace(record, curves={**record.curves, **more_curves}, results=results)


def adaptation_curves(model: str, folder: Path) -> dict[str, Path]:
    """The history files of an adaptation, one for each seed, by the prefix of their metrics."""
    return {f"{model}/{path.stem.removeprefix('history-')}": path for path in sorted(folder.glob("history-*.jsonl"))}
