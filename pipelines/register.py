"""Stage `register@t`: complete the MLflow run with all that is known of the student, and register it."""

import mlflow

from pipelines.evaluate import MODEL_NAMES
from pipelines.stage import CORPUS, EVALUATION, MODELS, REGISTRY, TASKS, run, textbook_files
from textbook.files import hash_folder, read_json, sha256, write_json
from textbook.params import Params
from textbook.tasks.prepare import read_split, text_columns
from tracking.lineage import dvc_hashes
from tracking.registry import CHAMPION
from tracking.registry import register as register_model
from tracking.runs import completed_run, flatten, log_dataset, replay
from tracking.store import connect


def register(params: Params, task: str) -> None:
    """Write which run and which version of the registered model the student became."""
    client = connect()
    models, figures = MODELS / task, EVALUATION / f"{task}.json"
    student = models / "student"
    books = [("textbook", path) for path in textbook_files(task, params.distill.textbook)]
    hashes = dvc_hashes([str(student), str(figures)])
    with completed_run(params, task, models / "distilled", hash_folder(student) + sha256(figures)) as run_id:
        sections = params.model_dump(exclude={"assets", "tasks", "student", "distill", "sweep"})
        mlflow.log_params(flatten({**sections, "tasks": {task: params.task(task).model_dump()}}))
        mlflow.set_tags({f"dvc.{path}": md5 for path, md5 in hashes.items()})
        for context, path in (("task", TASKS / task), ("corpus", CORPUS), *books):
            log_dataset(path, hashes.get(str(path)), context)
        replay(client, run_id, "teacher", models / "teacher" / "history.jsonl")
        for start in ("scratch", "student"):
            for history in sorted((models / start).glob("history-*.jsonl")):
                replay(client, run_id, f"{start}/{history.stem.removeprefix('history-')}", history)
        mlflow.log_metrics(
            {f"{name}/{figure}": value for name in MODEL_NAMES for figure, value in read_json(figures)[name].items()}
        )
        rows = read_split(TASKS / task, "validation")
        columns = text_columns(params.task(task))
        version = register_model(client, task, student, columns, [rows[column][0].as_py() for column in columns])
    write_json(REGISTRY / f"{task}.json", {"model": task, "version": version, "alias": CHAMPION, "run_id": run_id})
    print(f"{task}: registered as version {version}, alias {CHAMPION}, run {run_id}")


if __name__ == "__main__":
    run(register)
