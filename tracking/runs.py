"""One MLflow run per result: opened while the student is distilled, completed when it is registered.

DVC may restore a distilled student that another machine made, or use one for several adaptations. Then there is no run
to complete, and a new one is made, with the distillation's history replayed into it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from textbook.files import read_json, write_json
from textbook.params import Params
from textbook.training.log import Log, read_history
from tracking.lineage import git_tags
from tracking.store import connect, experiment_id

CLAIMED = "textbook.completed_by"  # tag of a run that already has a result


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    if isinstance(value, Mapping) and value:
        return {
            key: leaf
            for name, part in value.items()
            for key, leaf in flatten(part, f"{prefix}.{name}".lstrip(".")).items()
        }
    return {prefix: value}


@contextmanager
def live_run(params: Params, task: str, record: Path) -> Iterator[Log]:
    """Open the run of a distillation, or go on with the one in `record`; gives what logs to it.

    Args:
        record: a JSON file with the id of the run; written here.
    """
    client = connect()
    known = read_json(record)["run_id"] if record.is_file() else None
    run_id = known if known and _exists(client, known) else _new_run(client, params, task)
    write_json(record, {"run_id": run_id})
    with mlflow.start_run(run_id=run_id, log_system_metrics=True):
        mlflow.log_params(_distillation_params(params, task))

        def log(step: int, figures: Mapping[str, float]) -> None:
            mlflow.log_metrics({f"distill/{name}": value for name, value in figures.items()}, step=step)

        yield log


@contextmanager
def completed_run(params: Params, task: str, distilled: Path, result: str) -> Iterator[str]:
    """Claim the run of a distilled student, or make a new one if it is gone or has another result; gives its id.

    Args:
        distilled: the folder of the student, with `run.json` and `history.jsonl`.
        result: what identifies the result that the run is completed with.
    """
    client = connect()
    run_id = read_json(distilled / "run.json")["run_id"]
    if not _can_complete(client, run_id, experiment_id(client, params.tracking.experiment), result):
        run_id = _new_run(client, params, task)
        made_with = _distillation_params(params, task)
        client.log_batch(run_id, params=[Param(name, str(value)) for name, value in made_with.items()])
        replay(client, run_id, "distill", distilled / "history.jsonl")
    client.set_tag(run_id, CLAIMED, result)
    with mlflow.start_run(run_id=run_id):
        yield run_id


def replay(client: MlflowClient, run_id: str, prefix: str, history: Path) -> None:
    """Log a history file with the times at which its figures were made."""
    metrics = [
        Metric(f"{prefix}/{name}", value, int(line["time"]), int(line["step"]))
        for line in read_history(history)
        for name, value in line.items()
        if name not in ("step", "time")
    ]
    for start in range(0, len(metrics), 1000):  # the most that MLflow takes at a time
        client.log_batch(run_id, metrics=metrics[start : start + 1000])


def log_dataset(path: Path, digest: str | None, context: str) -> None:
    """Note a file or folder as input of the active run.

    Args:
        digest: its hash in DVC; MLflow keeps 36 characters of it.
        context: what it is used as, such as `textbook`.
    """
    source = resolve_dataset_source(str(path.absolute()))
    digest = digest and digest.removesuffix(".dir")
    # MLflow declares `profile` abstract and leaves it out itself
    mlflow.log_input(MetaDataset(source, name=str(path), digest=digest), context=context)  # type: ignore[abstract]


def _new_run(client: MlflowClient, params: Params, task: str) -> str:
    name = f"{task} · random · task · {params.distill.textbook}"
    tags = {
        "mlflow.runName": name,
        "mlflow.user": getuser(),
        "mlflow.source.name": "dvc repro",
        "task": task,
        **git_tags(),
    }
    return str(client.create_run(experiment_id(client, params.tracking.experiment), tags=tags).info.run_id)


def _distillation_params(params: Params, task: str) -> dict[str, Any]:
    return {"task": task, **flatten(params.model_dump(include={"student", "distill"}))}


def _can_complete(client: MlflowClient, run_id: str, experiment: str, result: str) -> bool:
    """Whether a run is there, in the right experiment, and not completed with another result."""
    if not _exists(client, run_id):
        return False
    found = client.get_run(run_id)
    return found.info.experiment_id == experiment and found.data.tags.get(CLAIMED, result) == result


def _exists(client: MlflowClient, run_id: str) -> bool:
    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException:
        return False
