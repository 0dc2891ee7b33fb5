"""How training tells what it does: any function of a step and named figures."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Log = Callable[[int, Mapping[str, float]], None]


def silent(_step: int, _figures: Mapping[str, float]) -> None:
    """Logs nothing."""


def log_to_file(path: Path, then: Log = silent) -> Log:
    """Append each figure to a JSON-lines file, with the time in milliseconds, and pass it on to `then`."""

    def log(step: int, figures: Mapping[str, float]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "time": int(time.time() * 1000), **figures}) + "\n")
        then(step, figures)

    return log


def shifted(log: Log, steps: int) -> Log:
    """Logs with a step that is so much later: what follows on another training."""

    def log_later(step: int, figures: Mapping[str, float]) -> None:
        log(steps + step, figures)

    return log_later


def read_history(path: Path) -> list[dict[str, float]]:
    """The lines of such a file, by step; of a step that was done again after a crash, the last."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for _, line in sorted({line["step"]: line for line in lines}.items())]
