"""Live logging of a distillation to MLflow."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipelines.record import start_record
from textbook.files import write_json
from textbook.params import Params
from textbook.training.engine.log import Log, silent
from tracking.live import live
from tracking.record import flatten
from tracking.store import connect, experiment_id


@contextmanager
def live_run(params: Params, task: str, run_file: Path) -> Iterator[Log]:
    """Show a running distillation in MLflow.

    Args:
        run_file: gets the identity of the run. The history is in the same folder.

    Raises:
        UserError: the tracking server cannot be reached at the start.
    """
    client = connect()
    work = run_file.parent
    write_json(run_file, {"cell": work.name})
    own = flatten(params.model_dump(include={"student", "distill"}))  # the other sections may still change
    record = replace(start_record(params, task, work.name, {}, work / "history.jsonl"), params=own, inputs=())
    with live(experiment_id(client, params.tracking.experiment), record):
        yield silent
