"""One MLflow run per cell, found by what identifies the cell: it can be begun, killed, continued and completed.

What a cell comes to lies in files of its own, named by its record, and the run is made from them. Logging while the
cell is made (`live`) is a convenience: where the server was away, `record_cell` brings the run up to date.
"""

import json
from collections.abc import Iterable, Mapping
from getpass import getuser
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from requests import RequestException

from textbook.errors import UserError
from textbook.training.log import read_history
from tracking.record import Input, Record
from tracking.registry import log_classifier, logged_model
from tracking.store import select

CELL = "textbook.cell"  # tag of a run: the digest of its record
COMPLETE = "textbook.complete"  # tag of a run that holds all of its record
PARENT = "mlflow.parentRunId"


def record_cell(
    client: MlflowClient, experiment: str, record: Record, *, parent: str | None = None, begun_as: str | None = None
) -> str:
    """Bring the one run of a cell up to its record, and finish it; a run that is complete is left as it is.

    Call it again after whatever went wrong: nothing is logged twice.

    Args:
        experiment, parent: the ids of the experiment and of the sweep's run.
        begun_as: another digest, under which the run may have been begun.

    Returns:
        The id of the run.

    Raises:
        UserError: the server is away; the record keeps what is to be logged.
    """
    try:
        run = open_run(client, experiment, record, parent=parent, begun_as=begun_as)
        run_id = str(run.info.run_id)
        has_model = not record.model or logged_model(client, run)  # else someone deleted it
        if COMPLETE in run.data.tags and has_model:
            return run_id
        log_start(client, run, record)
        last = last_steps(run, record.curves)
        for prefix, path in record.curves.items():
            if path.is_file():
                replay(client, run_id, prefix, read_history(path), after=last[prefix])
        new = {name: value for name, value in record.metrics.items() if run.data.metrics.get(name) != value}
        client.log_batch(run_id, [Metric(name, float(value), run.info.start_time, 0) for name, value in new.items()])
        if not has_model:
            select(client.tracking_uri)
            with mlflow.start_run(run_id=run_id):
                log_classifier(client, record)
        client.set_tag(run_id, COMPLETE, "true")
        client.set_terminated(run_id, "FINISHED")
    except (MlflowException, RequestException) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{client.tracking_uri}: the run of {record.name} could not be recorded ({reason});"
            " its results are kept: run the same command again when the server is back"
        ) from None
    return run_id


def open_run(
    client: MlflowClient, experiment: str, record: Record, *, parent: str | None = None, begun_as: str | None = None
) -> Run:
    """The run of a cell, made if it isn't there, and running unless it is complete."""
    found = find_runs(client, experiment, CELL, record.digest)
    if not found and begun_as:
        found = [run for run in find_runs(client, experiment, CELL, begun_as) if COMPLETE not in run.data.tags]
    if not found:
        tags = {"mlflow.user": getuser(), CELL: record.digest, **({PARENT: parent} if parent else {})}
        return client.create_run(experiment, tags=tags, run_name=record.name)
    run, *others = sorted(found, key=lambda run: COMPLETE not in run.data.tags)
    for other in others:  # a request that was repeated because its answer was lost
        client.delete_run(other.info.run_id)
    if COMPLETE not in run.data.tags:
        client.update_run(run.info.run_id, status="RUNNING", name=record.name)
        client.set_tag(run.info.run_id, CELL, record.digest)
    return run


def find_runs(client: MlflowClient, experiment: str, tag: str, value: str) -> list[Run]:
    """This user's runs with that tag, the oldest first."""
    query = f"tags.`{tag}` = '{value}' AND tags.`mlflow.user` = '{getuser()}'"
    return list(client.search_runs([experiment], query, order_by=["attributes.start_time ASC"]))


def log_start(client: MlflowClient, run: Run, record: Record) -> None:
    """Log what is known of a cell before it is made: parameters, tags and inputs."""
    run_id = run.info.run_id
    cell = {name: getattr(record, name) for name in ("task", "init", "teacher", "textbook")}
    # What the run was begun with stays: a parameter that decides nothing of the cell may have changed meanwhile.
    params = {name: value for name, value in {**cell, **record.params}.items() if name not in run.data.params}
    for part in _batches(params.items(), 100):
        client.log_batch(run_id, params=[Param(name, str(value)) for name, value in part])
    for part in _batches((cell | dict(record.tags)).items(), 100):
        client.log_batch(run_id, tags=[RunTag(name, value) for name, value in part])
    for source in record.inputs:
        log_input(client, run_id, source)


def log_input(client: MlflowClient, run_id: str, source: Input) -> None:
    """Note what a run was made from; MLflow keeps 36 characters of a hash."""
    digest = (source.digest or "unknown").removesuffix(".dir")[:36]
    dataset = Dataset(str(source.path), digest, "local", json.dumps({"uri": str(source.path.absolute())}))
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", source.context)])])


def replay(
    client: MlflowClient, run_id: str, prefix: str, history: Iterable[Mapping[str, float]], *, after: float
) -> float:
    """Log the lines of a history behind a step, with the times at which they were made; of a step done again, the last.

    Returns:
        The last step that is logged now.
    """
    lines = [line for step, line in sorted({line["step"]: line for line in history}.items()) if step > after]
    for part in _batches(lines, 50):  # MLflow takes 1000 figures at a time
        metrics = [
            Metric(f"{prefix}/{name}", value, int(line["time"]), int(line["step"]))
            for line in part
            for name, value in line.items()
            if name not in ("step", "time")
        ]
        client.log_batch(run_id, metrics=metrics)
        after = part[-1]["step"]
    return after


def last_steps(run: Run, prefixes: Iterable[str]) -> dict[str, float]:
    """The last step of each curve that a run holds, -1 where it holds none."""
    latest = run.data.to_proto().metrics  # the figures with their steps, which `run.data.metrics` leaves out
    return {
        prefix: max((metric.step for metric in latest if metric.key.rpartition("/")[0] == prefix), default=-1)
        for prefix in prefixes
    }


def _batches(items: Iterable[Any], size: int) -> list[list[Any]]:
    found = list(items)
    return [found[start : start + size] for start in range(0, len(found), size)]
