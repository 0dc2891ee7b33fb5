"""What happens to the trials of Ray Tune, told to the table."""

from pathlib import Path
from typing import Any

from ray.tune import Callback

from pipelines.progress import Progress
from textbook.files import write_json

STOPPED_FILE = "stopped.json"  # in the folder of a cell that ASHA ended early


class Watch(Callback):
    """Tells the table what happens to the trials of Ray Tune, whose keys are the names of their folders."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its callbacks; the table stays with the driver

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """A worker begins with a cell."""
        self.progress.started(_key(trial))

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """A worker reports."""
        if "loss" in result:
            self.progress.step(_key(trial), result["step"], result["loss"])
        elif "result" in result:
            self.progress.done(_key(trial), result["result"])
        elif "failure" in result:
            self.progress.failed(_key(trial), result["failure"])

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """A cell came to its end, or the scheduler ended it early."""
        last = trial.last_result or {}
        if "result" not in last and "failure" not in last:
            figures = {name: last.get(name) for name in ("step", "loss")}
            write_json(Path(trial.config["cell"]["folder"]) / STOPPED_FILE, figures)
            self.progress.stopped(_key(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """A cell is given up."""
        self.progress.failed(_key(trial), "its worker was lost too often")


def _key(trial: Any) -> str:
    return Path(trial.config["cell"]["folder"]).name
