"""Logging of training: a log is any function of a step and named figures."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Log = Callable[[int, Mapping[str, float]], None]


def silent(_step: int, _figures: Mapping[str, float]) -> None:
    """A log that discards everything."""


def log_to_file(path: Path, then: Log = silent) -> Log:
    """A log that appends the figures and the time in milliseconds to a JSON-lines file, and then calls `then`."""

    def log(step: int, figures: Mapping[str, float]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "time": int(time.time() * 1000), **figures}) + "\n")
        then(step, figures)

    return log


def shifted(log: Log, steps: int) -> Log:
    """A log that adds `steps` to each step, for a training run that continues another one."""

    def log_shifted(step: int, figures: Mapping[str, float]) -> None:
        log(steps + step, figures)

    return log_shifted


def read_history(path: Path) -> list[dict[str, float]]:
    """The lines of a file of `log_to_file`, sorted by step; only the last line of a step repeated after a crash."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for _, line in sorted({line["step"]: line for line in lines}.items())]
