"""One cell of a sweep: distil the student, adapt it, and measure it."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.adaptation import adapt_distilled
from pipelines.distillation import distil_student, teacher_of
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
from textbook.training.engine.log import Log, log_to_file, read_history
from textbook.training.engine.tokens import tokenize

PROBE = 1000  # number of the task's texts on which the relation loss is measured
_LOCK = ".lock"

ShowHistory = Callable[[Path], AbstractContextManager[None]]
"""Opens a context in which the figures of a history file are shown elsewhere while they are written."""


def run_cell(
    params: Params, cell: Cell, folder: Path, check: Callable[[], None], log: Log, show: ShowHistory
) -> dict[str, Any]:
    """Run a cell.

    A killed cell resumes: finished steps are not repeated, and a distillation continues from its last checkpoint. Two
    processes never work on the same cell: the second one waits until the first is done, and returns its result.

    Args:
        check: raises a UserError if the inputs of the cell are not those by which its folder is named. It is called
            before the first step and after every step; if it fails then, the cell's work is removed.
        log: gets the figures of the distillation.

    Returns:
        The content of the cell's `result.json`, which is written last.

    Raises:
        UserError: the inputs of the cell have changed.
    """
    cell_params = cell.params(params)
    with _locked(folder):
        if (folder / RESULT).is_file():
            return dict(read_json(folder / RESULT))
        check()
        _remove_stale(folder)
        clock = _Clock(folder / "clock.json")
        with _discarded_unless(check, folder):
            _distil(cell_params, cell.task, folder, clock, log, show)
        with _discarded_unless(check, folder):
            _adapt(cell_params, cell.task, folder)
        with _discarded_unless(check, folder):
            _score_snapshots(cell_params, cell.task, folder)
            figures = {**_measure(cell_params, cell, folder), "seconds": round(clock.seconds(), 1)}
        write_json(folder / RESULT, figures)
    return figures


@contextmanager
def _discarded_unless(check: Callable[[], None], folder: Path) -> Iterator[None]:
    """Remove all work on a cell if a check fails after a step, because the step may have read other inputs."""
    yield
    try:
        check()
    except UserError:
        for path in folder.iterdir():
            if path.name != _LOCK:
                remove(path)
        raise


def _distil(params: Params, task: str, folder: Path, clock: "_Clock", log: Log, show: ShowHistory) -> None:
    """Distil the student into `distilled`."""
    if (folder / "distilled").is_dir():
        return

    def timed_log(step: int, figures: Any) -> None:
        clock.save()
        log(step, figures)

    @contextmanager
    def live(run_file: Path) -> Iterator[Log]:
        write_json(run_file, {"cell": folder.name})
        with show(run_file.parent / "history.jsonl"):
            yield timed_log

    work = folder / "work"
    work.mkdir(exist_ok=True)
    distil_student(params, task, folder / "distilled", work, live)
    remove(work)


def _adapt(params: Params, task: str, folder: Path) -> None:
    """Adapt the student into `student`."""
    if not (folder / "student").is_dir():
        adapt_distilled(params, task, folder / "distilled", folder / "student")


def _score_snapshots(params: Params, task: str, folder: Path) -> None:
    """Adapt and measure each snapshot of the distillation, and write a line for each to `snapshots.jsonl`."""
    history = folder / SNAPSHOTS
    scored_steps = {line["step"] for line in read_history(history)} if history.is_file() else set()
    log = log_to_file(history)
    for snapshot in sorted((folder / "distilled" / "snapshots").glob("*")):
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
        **_relation_losses(params, cell.task, folder / "distilled"),
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


class _Clock:
    """Seconds of work on a cell, over all attempts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = float(read_json(path)["seconds"]) if path.is_file() else 0.0
        self.start = time.monotonic()

    def seconds(self) -> float:
        return self.before + time.monotonic() - self.start

    def save(self) -> None:
        write_json(self.path, {"seconds": self.seconds()})


@contextmanager
def _locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a cell's lock. The operating system releases it when the process ends, even if the process is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        fcntl.flock(file, how)
        yield


def _remove_stale(folder: Path) -> None:
    """Remove unfinished work on the same place in the grid with other inputs or other code, unless it is running.

    A cell that ASHA stopped is kept: it counts as stopped when its inputs are back.
    """
    for other in folder.parent.iterdir():
        if other != folder and not any((other / name).is_file() for name in (RESULT, STOPPED_FILE)):
            with suppress(BlockingIOError), _locked(other, fcntl.LOCK_EX | fcntl.LOCK_NB):
                remove(other)
