"""The progress of a sweep: a live table of its cells, or one line per event if there is no terminal."""

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
class CellState:
    """The state of one cell, which is a row of the table."""

    state: str = WAITING
    step: int = 0
    loss: float | None = None
    score: str = ""
    mean: float | None = None
    seconds: float = 0.0


class Progress:
    """The table of cells, to be used in a `with` statement.

    Args:
        names: the names of the cells by key.
        slots: the number of cohorts that run in parallel.
        cohorts: the number of each cell's cohort, by key.
    """

    def __init__(
        self, names: Mapping[str, str], slots: int, cohorts: Mapping[str, int], console: Console | None = None
    ) -> None:
        self.cells = {key: CellState() for key in names}
        self._names = names
        self._slots = slots
        self._cohorts = cohorts
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
        """A worker has started on a cell."""
        self._change(key, RUNNING)

    def step(self, key: str, step: int, loss: float) -> None:
        """A cell has reached a step."""
        cell = self.cells[key]
        cell.step, cell.loss = step, loss

    def done(self, key: str, figures: Mapping[str, Any]) -> None:
        """A cell is done; `figures` is the content of its `result.json`."""
        cell = self.cells[key]
        cell.mean, cell.seconds = figures["mean"], figures["seconds"]
        cell.score = f"{figures['metric']} {figures['mean']:.1f} ± {figures['std']:.1f}"
        self._change(key, DONE, f": {cell.score}")

    def is_running(self, key: str) -> bool:
        """Whether a worker is busy with a cell."""
        return self.cells[key].state == RUNNING

    def stopped(self, key: str) -> None:
        """ASHA has stopped a cell early."""
        self._change(key, STOPPED)

    def failed(self, key: str, reason: str) -> None:
        """A cell has failed."""
        self._change(key, FAILED, f": {reason}")

    def summary(self) -> str:
        """The number of cells in each state, the best cell, and the time left."""
        states = [cell.state for cell in self.cells.values()]
        parts = [f"{states.count(state)} {state}" for state in (RUNNING, DONE, FAILED, STOPPED) if state in states]
        parts.append(f"{states.count(WAITING)} {WAITING}")
        scored = [key for key, cell in self.cells.items() if cell.mean is not None]
        if scored:
            best = max(scored, key=lambda key: self.cells[key].mean or 0.0)
            parts.append(f"best {self._names[best]} ({self.cells[best].score})")
        if seconds := self._seconds_left():
            parts.append(f"about {seconds / 60:.0f} min left")
        return ", ".join(parts)

    def _seconds_left(self) -> float:
        """The expected time until all cells are done; 0 if no cell is done yet."""
        times = [cell.seconds for cell in self.cells.values() if cell.seconds]
        unfinished = sum(cell.state in (WAITING, RUNNING) for cell in self.cells.values())
        return sum(times) / len(times) * unfinished / self._slots if times else 0.0

    def _change(self, key: str, state: str, note: str = "") -> None:
        """Set the state of a cell, and print a line if there is no terminal."""
        self.cells[key].state = state
        if not self._console.is_terminal:
            clock = time.strftime("%H:%M:%S")
            self._console.print(
                f"{clock} {self._names[key]}: {state}{note} [{self.summary()}]", markup=False, soft_wrap=True
            )

    def _table(self) -> Table:
        table = Table("cell", "cohort", "state", "step", "loss", "score", box=SIMPLE_HEAD, caption=self.summary())
        for column in (table.columns[1], *table.columns[3:]):
            column.justify = "right"
        for key, cell in self.cells.items():
            table.add_row(self._names[key], str(self._cohorts[key]), cell.state, *_columns(cell))
        return table


def _columns(cell: CellState) -> Sequence[str]:
    return str(cell.step or ""), "" if cell.loss is None else f"{cell.loss:.3f}", cell.score
