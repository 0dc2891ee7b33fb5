"""One MLflow run per cell, identified by the cell's digest.

The results of a cell are in its own files, which its record names, and the run is created from them. A run can be
started, interrupted, resumed and completed at any time. Live logging (`live`) is a convenience: `record_cell` uploads
whatever it could not log.
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
from textbook.training.engine.log import read_history
from tracking.address import reason, redact
from tracking.record import Input, Record
from tracking.registry import log_classifier, logged_model
from tracking.store import select

CELL = "textbook.cell"  # tag of a run: the digest of its record
COMPLETE = "textbook.complete"  # tag of a run to which everything has been logged
PARENT = "mlflow.parentRunId"


def record_cell(
    client: MlflowClient, experiment: str, record: Record, *, parent: str | None = None, begun_as: str | None = None
) -> str:
    """Complete the run of a cell from its record. A run that is already complete is not changed.

    The function is idempotent: after an error, call it again, and nothing is logged twice.

    Args:
        experiment, parent: the ids of the experiment and of the sweep's run.
        begun_as: another digest, under which the run may have been started.

    Returns:
        The id of the run.

    Raises:
        UserError: the tracking server cannot be reached or reports an error.
    """
    try:
        run = open_run(client, experiment, record, parent=parent, begun_as=begun_as)
        run_id = str(run.info.run_id)
        has_model = not record.model or logged_model(client, run)  # a user may have deleted it
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
        raise UserError(
            f"{redact(client.tracking_uri)}: the run of {record.name} could not be recorded ({reason(error)});"
            " its results are kept on disk, so run the same command again when the server is back"
        ) from None
    return run_id


def open_run(
    client: MlflowClient, experiment: str, record: Record, *, parent: str | None = None, begun_as: str | None = None
) -> Run:
    """The run of a cell, created if it doesn't exist. Unless it is complete, its status becomes RUNNING."""
    runs = find_runs(client, experiment, CELL, record.digest)
    if not runs and begun_as:
        runs = [run for run in find_runs(client, experiment, CELL, begun_as) if COMPLETE not in run.data.tags]
    if not runs:
        tags = {"mlflow.user": getuser(), CELL: record.digest, **({PARENT: parent} if parent else {})}
        return client.create_run(experiment, tags=tags, run_name=record.name)
    run, *duplicates = sorted(runs, key=lambda run: COMPLETE not in run.data.tags)
    for duplicate in duplicates:  # from a request that was repeated because its response was lost
        client.delete_run(duplicate.info.run_id)
    if COMPLETE not in run.data.tags:
        client.update_run(run.info.run_id, status="RUNNING", name=record.name)
        client.set_tag(run.info.run_id, CELL, record.digest)
    return run


def find_runs(client: MlflowClient, experiment: str, tag: str, value: str) -> list[Run]:
    """This user's runs with a tag, oldest first."""
    query = f"tags.`{tag}` = '{value}' AND tags.`mlflow.user` = '{getuser()}'"
    return list(client.search_runs([experiment], query, order_by=["attributes.start_time ASC"]))


def log_start(client: MlflowClient, run: Run, record: Record) -> None:
    """Log the parameters, tags and inputs of a cell, which are known before it runs."""
    run_id = run.info.run_id
    place = {name: getattr(record, name) for name in ("task", "init", "teacher", "textbook")}
    # MLflow rejects a changed parameter. One that doesn't affect the cell may have changed since the run was started.
    params = {name: value for name, value in {**place, **record.params}.items() if name not in run.data.params}
    for batch in _batches(params.items(), 100):
        client.log_batch(run_id, params=[Param(name, str(value)) for name, value in batch])
    for batch in _batches((place | dict(record.tags)).items(), 100):
        client.log_batch(run_id, tags=[RunTag(name, value) for name, value in batch])
    for source in record.inputs:
        log_input(client, run_id, source)


def log_input(client: MlflowClient, run_id: str, source: Input) -> None:
    """Log an input of a run as a dataset. The hash is cut to 36 characters, MLflow's limit."""
    digest = (source.digest or "unknown").removesuffix(".dir")[:36]
    dataset = Dataset(str(source.path), digest, "local", json.dumps({"uri": str(source.path.absolute())}))
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", source.context)])])


def replay(
    client: MlflowClient, run_id: str, prefix: str, history: Iterable[Mapping[str, float]], *, after: float
) -> float:
    """Log the lines of a history after a step, with their original times. Of a repeated step, the last line counts.

    Returns:
        The last step that has been logged.
    """
    lines = [line for step, line in sorted({line["step"]: line for line in history}.items()) if step > after]
    for batch in _batches(lines, 50):  # MLflow accepts at most 1000 metrics per request
        metrics = [
            Metric(f"{prefix}/{name}", value, int(line["time"]), int(line["step"]))
            for line in batch
            for name, value in line.items()
            if name not in ("step", "time")
        ]
        client.log_batch(run_id, metrics=metrics)
        after = batch[-1]["step"]
    return after


def last_steps(run: Run, prefixes: Iterable[str]) -> dict[str, float]:
    """The last logged step of each curve of a run; -1 if nothing has been logged."""
    latest = run.data.to_proto().metrics  # unlike `run.data.metrics`, this includes the steps
    return {
        prefix: max((metric.step for metric in latest if metric.key.rpartition("/")[0] == prefix), default=-1)
        for prefix in prefixes
    }


def _batches(items: Iterable[Any], size: int) -> list[list[Any]]:
    all_items = list(items)
    return [all_items[start : start + size] for start in range(0, len(all_items), size)]
