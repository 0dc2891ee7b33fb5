"""One cell of a sweep after its distillation: adapt the student and measure it; and the folder of a cell."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.adaptation import adapt_distilled
from pipelines.distillation import teacher_of
from pipelines.paths import TASKS, teacher_folder
from pipelines.sweep.grid import LEAD, RELATION_LOSSES, RESULT, SNAPSHOTS, STOPPED_FILE, Cell
from textbook.errors import UserError
from textbook.evaluation.comparison import compare_with_others
from textbook.evaluation.metrics import STANDARD_ERROR, summarize
from textbook.evaluation.predictions import PREDICTIONS
from textbook.evaluation.relation_loss import mean_relation_loss
from textbook.files import read_json, remove, write_json
from textbook.models.encoder import load_encoder, load_tokenizer
from textbook.params import Metric, Params
from textbook.tasks.splits import TRAIN, VALIDATION, read_split, texts
from textbook.training.distillation.pair import load_pair
from textbook.training.engine.device import best_device
from textbook.training.engine.log import log_to_file, read_history
from textbook.training.engine.tokens import tokenize

PROBE = 1000  # number of the task's texts on which the relation loss is measured
DISTILLED = "distilled"
_LOCK = ".lock"

Check = Callable[[], None]
"""Raises a UserError if the inputs of a cell are not those by which its folder is named."""


def finish_cell(params: Params, cell: Cell, folder: Path, check: Check) -> dict[str, Any]:
    """Adapt and measure the distilled student of a cell. Steps that were finished before are not repeated.

    Args:
        params: those of the task's cells.
        check: called after each step; if it fails, the cell's work is removed.

    Returns:
        The content of the cell's `result.json`, which is written last.

    Raises:
        UserError: the inputs of the cell have changed.
    """
    cell_params, clock = cell.params(params), Clock(folder)
    with discarded_unless(check, folder):
        if not (folder / "student").is_dir():
            adapt_distilled(cell_params, cell.task, folder / DISTILLED, folder / "student")
    with discarded_unless(check, folder):
        _score_snapshots(cell_params, cell.task, folder)
        figures = _measure(cell_params, cell, folder)
    figures["seconds"] = round(clock.tick(), 1)
    write_json(folder / RESULT, figures)
    return figures


@contextmanager
def discarded_unless(check: Check, folder: Path) -> Iterator[None]:
    """Remove all work on a cell if a check fails after a step, because the step may have read other inputs."""
    yield
    try:
        check()
    except UserError:
        for path in folder.iterdir():
            if path.name != _LOCK:
                remove(path)
        raise


def _score_snapshots(params: Params, task: str, folder: Path) -> None:
    """Adapt and measure each snapshot of the distillation, and write a line for each to `snapshots.jsonl`."""
    history = folder / SNAPSHOTS
    scored_steps = {line["step"] for line in read_history(history)} if history.is_file() else set()
    log = log_to_file(history)
    for snapshot in sorted((folder / DISTILLED / "snapshots").glob("*")):
        if int(snapshot.name) not in scored_steps:
            adapt_distilled(params, task, snapshot, folder / "adapted")
            scores = summarize(read_json(folder / "adapted" / RESULT)["runs"])
            figures = {name: scores[name] for name in ("score", "score_std", STANDARD_ERROR)}
            log(int(snapshot.name), {**figures, **_relation_losses(params, task, snapshot)})
    remove(folder / "adapted")


def _measure(params: Params, cell: Cell, folder: Path) -> dict[str, Any]:
    """The figures of the finished student."""
    cell_metric = params.task(cell.task).metrics[0]
    scores = summarize(read_json(folder / "student" / RESULT)["runs"])
    teacher = summarize(read_json(teacher_folder(cell.task) / RESULT)["runs"])
    return {
        **asdict(cell),
        "metric": cell_metric,
        "mean": scores["score"],
        "std": scores["score_std"],
        "standard_error": scores[STANDARD_ERROR],
        "scores": scores,
        "teacher_score": teacher["score"],
        **_lead(cell_metric, cell.task, folder),
        **_relation_losses(params, cell.task, folder / DISTILLED),
        "seeds": scores["seeds"],
        "steps": params.distill.steps,
        "batch": params.distill.batch,
        "device": str(best_device()),
    }


def _lead(metric: Metric, task: str, folder: Path) -> dict[str, float]:
    """The student's lead over its fine-tuned teacher on the same validation rows, in points."""
    teacher = {"teacher": teacher_folder(task) / PREDICTIONS}
    lead = compare_with_others(metric, folder / "student" / PREDICTIONS, teacher)["teacher"]
    return dict(zip(LEAD, (lead[name] for name in ("value", "error", "low", "high", "p")), strict=True))


def _relation_losses(params: Params, task: str, distilled: Path) -> dict[str, float]:
    """The relation loss between the student and its teacher, on the task's training texts and on its validation texts.

    No textbook contains the validation texts. The augmented textbook contains the training texts.
    """
    teacher = teacher_of(params, task)
    tokenizer = load_tokenizer(teacher)
    pair = load_pair(teacher, load_encoder(distilled), params.distill)
    losses = {}
    for name, split in zip(RELATION_LOSSES, (TRAIN, VALIDATION), strict=True):
        probe = texts(read_split(TASKS / task, split).slice(0, PROBE))
        tokens = tokenize(tokenizer, *probe, params.distill.max_length)
        losses[name] = round(mean_relation_loss(pair, tokens, best_device()), 4)
    return losses


class Clock:
    """Seconds of work on a cell, over all attempts.

    Args:
        share: the cell's share in the work of this attempt. Students of a cohort share the time of their distillation.
    """

    def __init__(self, folder: Path, share: float = 1.0) -> None:
        self._path, self._share = folder / "clock.json", share
        self._before = float(read_json(self._path)["seconds"]) if self._path.is_file() else 0.0
        self._start = time.monotonic()

    def tick(self) -> float:
        """The seconds so far; they are written, so that they count if the process is killed."""
        seconds = self._before + (time.monotonic() - self._start) * self._share
        write_json(self._path, {"seconds": seconds})
        return seconds


@contextmanager
def locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a cell's lock. The operating system releases it when the process ends, even if the process is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        fcntl.flock(file, how)
        yield


def remove_stale(folder: Path) -> None:
    """Remove unfinished work on the same place in the grid with other inputs or other code, unless it is running.

    A cell that ASHA stopped is kept: it counts as stopped when its inputs are back.
    """
    for other in folder.parent.iterdir():
        if other != folder and not any((other / name).is_file() for name in (RESULT, STOPPED_FILE)):
            with suppress(BlockingIOError), locked(other, fcntl.LOCK_EX | fcntl.LOCK_NB):
                remove(other)
