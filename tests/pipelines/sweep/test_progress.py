"""The progress of a sweep, with and without a terminal."""

from io import StringIO

import pytest
from rich.console import Console

from pipelines.sweep.progress import Progress

NAMES = {"k1": "films · random · task · general", "k2": "films · random · task · contextualized"}
FIGURES = {"metric": "accuracy", "mean": 80.0, "std": 0.5, "seconds": 120.0}


@pytest.fixture
def progress():
    return Progress(NAMES, slots=1, cohorts={"k1": 1, "k2": 1}, console=Console(file=StringIO(), width=200))


def printed(progress):
    return progress._console.file.getvalue()


def test_without_a_terminal_every_event_is_a_line(progress):
    with progress:
        progress.started("k1")
        progress.step("k1", 10, 1.5)
        progress.done("k1", FIGURES)
        progress.started("k2")
        progress.failed("k2", "no space left")
    lines = printed(progress).splitlines()
    assert [line.split(": ")[1].split(" [")[0] for line in lines] == ["running", "done", "running", "failed"]
    assert lines[1].endswith(
        "[1 done, 1 waiting, best films · random · task · general (accuracy 80.0 ± 0.5), about 2 min left]"
    )
    assert "failed: no space left" in lines[3]


def test_the_best_cell_has_the_highest_mean(progress):
    progress.done("k1", FIGURES)
    progress.done("k2", {**FIGURES, "mean": 81.0})
    assert "best films · random · task · contextualized (accuracy 81.0 ± 0.5)" in progress.summary()


def test_on_a_terminal_a_table_shows_the_state_of_each_cell(progress):
    progress.started("k1")
    progress.step("k1", 40, 2.5)
    progress.done("k2", FIGURES)
    console = Console(file=StringIO(), width=200)
    console.print(progress._table())
    first, second = (line.split() for line in console.file.getvalue().splitlines() if line.strip().startswith("films"))
    assert first[-4:] == ["1", "running", "40", "2.500"]
    assert second[-6:] == ["1", "done", "accuracy", "80.0", "±", "0.5"]
