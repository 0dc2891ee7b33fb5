"""What MLflow is to know of the student that the stages make."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.evaluate import MODEL_NAMES
from pipelines.stage import CORPUS, EVALUATION, MODELS, TASKS, textbook_files
from textbook.files import digest, hash_folder, read_json, sha256, write_json
from textbook.params import Params
from textbook.tasks.prepare import VALIDATION, read_split, text_columns
from textbook.training.log import Log, read_history, silent
from tracking.lineage import dvc_hashes, git_tags
from tracking.live import live
from tracking.record import Input, Record, flatten
from tracking.store import connect, experiment_id
from tracking.usage import costs, training_seconds, training_tokens


@contextmanager
def live_run(params: Params, task: str, run_file: Path) -> Iterator[Log]:
    """Show a distillation in MLflow while it goes on; its history is beside `run_file`, which notes what it is.

    Raises:
        UserError: the tracking server is away from the start.
    """
    client = connect()
    work = run_file.parent
    write_json(run_file, {"cell": work.name})
    made_with = flatten(params.model_dump(include={"student", "distill"}))  # what is else in the file may still change
    record = replace(begun_record(params, task, work.name, {}, work / "history.jsonl"), params=made_with, inputs=())
    with live(experiment_id(client, params.tracking.experiment), record):
        yield silent


def begun_record(params: Params, task: str, name: str, hashes: Mapping[str, str], history: Path) -> Record:
    """The record of a student whose distillation writes its figures to `history`.

    Args:
        params: `distill` says where in the grid it is.
        name: what identifies it.
        hashes: those of DVC of all that it is made from, by path.
    """
    settings = params.distill
    sections: dict[str, Any] = params.model_dump(exclude={"assets", "tasks", "sweep"})
    books = [("textbook", path) for path in textbook_files(task, settings.textbook)]
    return Record(
        name,
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
    )


def with_student(begun: Record, params: Params, task: str, student: Path, metrics: Mapping[str, float]) -> Record:
    """The record with the adapted student in a folder, and what it came to."""
    rows = read_split(TASKS / task, VALIDATION)
    return replace(
        begun,
        curves={**begun.curves, **adaptation_curves("student", student)},
        metrics=metrics,
        model=student,
        example=[str(rows[column][0].as_py()) for column in text_columns(params.task(task))],
    )


def finished_record(params: Params, task: str) -> Record:
    """The record of the student that the stages have made and evaluated."""
    models, figures = MODELS / task, EVALUATION / f"{task}.json"
    student, history = models / "student", models / "distilled" / "history.jsonl"
    begun = begun_record(
        params,
        task,
        digest(hash_folder(student), sha256(figures)),
        dvc_hashes([str(student), str(figures)]),
        history,
    )
    found = read_json(figures)
    metrics = {f"{name}/{figure}": value for name in MODEL_NAMES for figure, value in flatten(found[name]).items()}
    lines = read_history(history)
    seconds = training_seconds(lines) + sum(
        training_seconds(read_history(path)) for path in adaptation_curves("student", student).values()
    )
    spent = costs(seconds, training_tokens(lines), params.tracking.cost_per_hour)
    record = with_student(begun, params, task, student, {**metrics, **spent})
    others = {"teacher/0": models / "teacher" / "history.jsonl", **adaptation_curves("scratch", models / "scratch")}
    return replace(record, curves={**record.curves, **others})


def adaptation_curves(start: str, folder: Path) -> dict[str, Path]:
    """The history of each seed of an adaptation."""
    return {f"{start}/{path.stem.removeprefix('history-')}": path for path in sorted(folder.glob("history-*.jsonl"))}
