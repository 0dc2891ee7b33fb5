"""What a sweep is doing: a live table of its cells, or a line for each event where there is no terminal."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"


@dataclass
class Line:
    """A cell as the table shows it."""

    state: str = WAITING
    step: int = 0
    loss: float | None = None
    score: str = ""
    mean: float | None = None
    seconds: float = 0.0


class Progress:
    """The table; to be used as a context.

    Args:
        names: the names of the cells by key.
        slots: how many run side by side.
    """

    def __init__(self, names: Mapping[str, str], slots: int, console: Console | None = None) -> None:
        self.lines = {key: Line() for key in names}
        self._names = names
        self._slots = slots
        self._console = console or Console()
        self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=1, transient=False)

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def started(self, key: str) -> None:
        """A cell is being worked on."""
        self._turn(key, RUNNING)

    def step(self, key: str, step: int, loss: float) -> None:
        """A cell has come so far."""
        line = self.lines[key]
        line.step, line.loss = step, loss

    def done(self, key: str, figures: Mapping[str, Any]) -> None:
        """A cell is finished, with the figures of its `result.json`."""
        line = self.lines[key]
        line.mean, line.seconds = figures["mean"], figures["seconds"]
        line.score = f"{figures['metric']} {figures['mean']:.1f} ± {figures['std']:.1f}"
        self._turn(key, DONE, f": {line.score}")

    def stopped(self, key: str) -> None:
        """A cell was ended early by ASHA."""
        self._turn(key, STOPPED)

    def failed(self, key: str, reason: str) -> None:
        """A cell has come to nothing."""
        self._turn(key, FAILED, f": {reason}")

    def summary(self) -> str:
        """How many cells are in which state, the best, and the time that is left."""
        states = [line.state for line in self.lines.values()]
        parts = [f"{states.count(state)} {state}" for state in (RUNNING, DONE, FAILED, STOPPED) if state in states]
        parts.append(f"{states.count(WAITING)} {WAITING}")
        scored = [key for key, line in self.lines.items() if line.mean is not None]
        if scored:
            best = max(scored, key=lambda key: self.lines[key].mean or 0.0)
            parts.append(f"best {self._names[best]} ({self.lines[best].score})")
        if left := self._seconds_left():
            parts.append(f"about {left / 60:.0f} min left")
        return ", ".join(parts)

    def _seconds_left(self) -> float:
        took = [line.seconds for line in self.lines.values() if line.seconds]
        open_cells = sum(line.state in (WAITING, RUNNING) for line in self.lines.values())
        return sum(took) / len(took) * open_cells / self._slots if took else 0.0

    def _turn(self, key: str, state: str, note: str = "") -> None:
        self.lines[key].state = state
        if not self._console.is_terminal:
            clock = time.strftime("%H:%M:%S")
            self._console.print(
                f"{clock} {self._names[key]}: {state}{note} [{self.summary()}]", markup=False, soft_wrap=True
            )

    def _table(self) -> Table:
        table = Table("cell", "state", "step", "loss", "score", box=SIMPLE_HEAD, caption=self.summary())
        for column in table.columns[2:]:
            column.justify = "right"
        for key, line in self.lines.items():
            table.add_row(self._names[key], line.state, *_cells(line))
        return table


def _cells(line: Line) -> Sequence[str]:
    return str(line.step or ""), "" if line.loss is None else f"{line.loss:.3f}", line.score
