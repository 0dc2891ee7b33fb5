"""What MLflow is to know of the student that the stages make."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.evaluate import MODEL_NAMES
from pipelines.stage import CORPUS, EVALUATION, MODELS, TASKS, textbook_files
from textbook.files import digest, hash_folder, read_json, sha256, write_json
from textbook.params import Params
from textbook.tasks.prepare import read_split, text_columns
from textbook.training.log import Log, silent
from tracking.lineage import dvc_hashes, git_tags
from tracking.live import live
from tracking.record import Input, Record, flatten
from tracking.store import connect, experiment_id


@contextmanager
def live_run(params: Params, task: str, run_file: Path) -> Iterator[Log]:
    """Show a distillation in MLflow while it goes on; its history is beside `run_file`, which notes what it is.

    Raises:
        UserError: the tracking server is away from the start.
    """
    client = connect()
    work = run_file.parent
    write_json(run_file, {"cell": work.name})
    sections = params.model_dump(include={"student", "distill"})
    record = Record(
        work.name,
        task,
        *_place(params),
        params=flatten(sections),
        tags=git_tags(),
        curves={"distill": work / "history.jsonl"},
    )
    with live(experiment_id(client, params.tracking.experiment), record):
        yield silent


def finished_record(params: Params, task: str) -> Record:
    """The record of the student that the stages have made and evaluated."""
    models, figures = MODELS / task, EVALUATION / f"{task}.json"
    student = models / "student"
    books = [("textbook", path) for path in textbook_files(task, params.distill.textbook)]
    hashes = dvc_hashes([str(student), str(figures)])
    sections: dict[str, Any] = params.model_dump(exclude={"assets", "tasks", "sweep"})
    curves = {"distill": models / "distilled" / "history.jsonl", "teacher": models / "teacher" / "history.jsonl"}
    for start in ("scratch", "student"):
        for history in (models / start).glob("history-*.jsonl"):
            curves[f"{start}/{history.stem.removeprefix('history-')}"] = history
    rows = read_split(TASKS / task, "validation")
    return Record(
        digest(hash_folder(student), sha256(figures)),
        task,
        *_place(params),
        params=flatten({**sections, "tasks": {task: params.task(task).model_dump()}}),
        tags={**git_tags(), **{f"dvc.{path}": md5 for path, md5 in hashes.items()}},
        inputs=[
            Input(context, path, hashes.get(str(path)))
            for context, path in (("task", TASKS / task), ("corpus", CORPUS), *books)
        ],
        curves=curves,
        metrics={
            f"{name}/{figure}": value for name in MODEL_NAMES for figure, value in read_json(figures)[name].items()
        },
        model=student,
        example=[rows[column][0].as_py() for column in text_columns(params.task(task))],
    )


def _place(params: Params) -> tuple[str, str, str]:
    """Init, teacher and textbook."""
    return params.distill.init, params.distill.teacher, params.distill.textbook
