"""Live logging of a cell to MLflow, in a background thread.

Training never waits for the tracking server. If the server goes down, training continues, and `record_cell` uploads
what is missing later.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from tracking.record import Record
from tracking.runs import COMPLETE, last_steps, log_start, open_run, replay
from tracking.store import connect

POLL_SECONDS = 5.0  # between two reads of the history files
END_SECONDS = 30.0  # time limit of the last read


@contextmanager
def live(experiment: str, record: Record, parent: str | None = None) -> Iterator[None]:
    """Log the curves of a cell while they grow, and the system metrics, to the run that `record_cell` completes.

    Args:
        experiment, parent: the ids of the experiment and of the sweep's run.
    """
    stop, succeeded = Event(), Event()
    thread = Thread(
        target=_log_until_stopped, args=(experiment, record, parent, stop, succeeded), name="mlflow", daemon=True
    )
    thread.start()
    try:
        yield
        succeeded.set()
    finally:
        stop.set()
        thread.join(END_SECONDS)


def _log_until_stopped(experiment: str, record: Record, parent: str | None, stop: Event, succeeded: Event) -> None:
    """Log new lines of the history files until `stop` is set, then end the run."""
    client = connect(check=False)
    run_id, monitor = "", None
    curves = {prefix: _Tail(path) for prefix, path in record.curves.items()}
    last: dict[str, float] = {}
    while True:
        final = stop.is_set()
        with suppress(MlflowException):
            if not run_id:
                run = open_run(client, experiment, record, parent=parent)
                if COMPLETE in run.data.tags:
                    return
                log_start(client, run, record)
                last = last_steps(run, curves)
                run_id = str(run.info.run_id)
                monitor = SystemMetricsMonitor(run_id, resume_logging=True)  # type: ignore[no-untyped-call]
                monitor.start()  # type: ignore[no-untyped-call]
            for prefix, tail in curves.items():
                last[prefix] = replay(client, run_id, prefix, tail.read(), after=last[prefix])
                tail.advance()
        if final:
            break
        stop.wait(POLL_SECONDS)
    if monitor:
        monitor.finish()  # type: ignore[no-untyped-call]
        with suppress(MlflowException):
            client.set_terminated(run_id, "FINISHED" if succeeded.is_set() else "FAILED")


class _Tail:
    """The lines of a history file that have not been logged yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = self.end = 0

    def read(self) -> list[dict[str, float]]:
        """The complete lines after the position; reading again gives them again."""
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            file.seek(self.start)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]  # the last line may be incomplete
        self.end = self.start + len(data)
        return [json.loads(line) for line in data.splitlines()]

    def advance(self) -> None:
        """Move the position past the lines that were read."""
        self.start = self.end
