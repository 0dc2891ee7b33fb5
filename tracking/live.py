"""Shows a cell in MLflow while it is made. Training never waits for it, and a server that is away costs nothing."""

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

LOOK_SECONDS = 5.0  # between two looks at the histories
END_SECONDS = 30.0  # that the last look may take


@contextmanager
def live(experiment: str, record: Record, parent: str | None = None) -> Iterator[None]:
    """Log the curves of a cell as they grow, and what the machine does; the run is that of `record_cell`.

    Args:
        experiment, parent: the ids of the experiment and of the sweep's run.
    """
    ended, well = Event(), Event()
    thread = Thread(target=_follow, args=(experiment, record, parent, ended, well), name="mlflow", daemon=True)
    thread.start()
    try:
        yield
        well.set()
    finally:
        ended.set()
        thread.join(END_SECONDS)


def _follow(experiment: str, record: Record, parent: str | None, ended: Event, well: Event) -> None:
    client = connect(check=False)
    run_id, monitor = "", None
    curves = {prefix: _Tail(path) for prefix, path in record.curves.items()}
    last: dict[str, float] = {}
    while True:
        final = ended.is_set()
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
                last[prefix] = replay(client, run_id, prefix, tail.lines(), after=last[prefix])
                tail.taken()
        if final:
            break
        ended.wait(LOOK_SECONDS)
    if monitor:
        monitor.finish()  # type: ignore[no-untyped-call]
        with suppress(MlflowException):
            client.set_terminated(run_id, "FINISHED" if well.is_set() else "FAILED")


class _Tail:
    """The lines of a history that have not been taken yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = self.end = 0

    def lines(self) -> list[dict[str, float]]:
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            file.seek(self.start)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]  # a line may be in the writing
        self.end = self.start + len(data)
        return [json.loads(line) for line in data.splitlines()]

    def taken(self) -> None:
        self.start = self.end
