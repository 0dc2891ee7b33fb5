"""A callback of Ray Tune that reports the events of trials to the progress table."""

from pathlib import Path
from typing import Any

from ray.tune import Callback

from pipelines.sweep.grid import STOPPED_FILE
from pipelines.sweep.progress import Progress
from textbook.files import write_json
from textbook.params import Asha


class Watch(Callback):
    """Reports events to the progress table. The key of a trial is the name of its cell's folder."""

    def __init__(self, progress: Progress, asha: Asha | None) -> None:
        self.progress = progress
        self.asha = asha

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks, but the table exists only in this process

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """A worker has started on a cell."""
        self.progress.started(_key(trial))

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """A worker has reported."""
        if "loss" in result:
            self.progress.step(_key(trial), result["step"], result["loss"])
        elif "result" in result:
            self.progress.done(_key(trial), result["result"])
        elif "failure" in result:
            self.progress.failed(_key(trial), result["failure"])

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """A trial has ended, or the scheduler has ended it early."""
        last = trial.last_result or {}
        if "result" not in last and "failure" not in last:
            mark = {**{name: last.get(name) for name in ("step", "loss")}, "asha": self.asha and self.asha.model_dump()}
            write_json(Path(trial.config["cell"]["folder"]) / STOPPED_FILE, mark)
            self.progress.stopped(_key(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Tune does not retry the trial any more."""
        self.progress.failed(_key(trial), "its worker was lost more than sweep.retries times")


def _key(trial: Any) -> str:
    return Path(trial.config["cell"]["folder"]).name
