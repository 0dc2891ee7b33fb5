"""A callback of Ray Tune that reports the events of trials to the progress table."""

from pathlib import Path
from typing import Any

from ray.tune import Callback

from pipelines.sweep.progress import Progress
from textbook.cells.cell import STOPPED_FILE
from textbook.files import write_json
from textbook.params import Asha


class Watch(Callback):
    """Reports events to the progress table. The key of a cell is the name of its folder."""

    def __init__(self, progress: Progress, asha: Asha | None) -> None:
        self.progress = progress
        self.asha = asha

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks, but the table exists only in this process

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """A worker has started on a cohort."""
        for key in _folders(trial):
            self.progress.started(key)

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """A worker has reported."""
        if "loss" in result:
            self.progress.step(result["key"], result["step"], result["loss"])
        elif "result" in result:
            self.progress.done(result["key"], result["result"])
        elif "failure" in result:
            self.progress.failed(result["key"], result["failure"])

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """A trial has ended, or the scheduler has ended it early."""
        last = trial.last_result or {}
        for key, folder in _folders(trial).items():
            if self.progress.is_running(key):
                mark = {name: last.get(name) for name in ("step", "loss")}
                write_json(folder / STOPPED_FILE, {**mark, "asha": self.asha and self.asha.model_dump()})
                self.progress.stopped(key)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Tune does not retry the trial any more."""
        for key in _folders(trial):
            if self.progress.is_running(key):
                self.progress.failed(key, "its worker was lost more than sweep.retries times")


def _folders(trial: Any) -> dict[str, Path]:
    """The folders of a trial's cells by key."""
    return {Path(folder).name: Path(folder) for _, folder in trial.config["cells"]}
