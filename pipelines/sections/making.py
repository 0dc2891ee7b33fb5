"""What it took to make a task's student, from the times in the histories of the trainings."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.paths import MODELS
from textbook.params import Params
from textbook.training.engine.log import read_history
from tracking.usage import training_seconds


def making_table(params: Params, task: str) -> list[tuple[str, ...]]:
    """The time of each training and of all, and its price: a header, then one line for each."""
    models = MODELS / task
    trials = list((models / "teacher").glob("history-*.jsonl"))  # none if there was only one trial
    seconds = {
        "fine-tune the teacher, all trials": _seconds(trials or [models / "teacher" / "history.jsonl"]),
        "distil the student": _seconds([models / "distilled" / "history.jsonl"]),
        "adapt the student, all seeds": _seconds((models / "student").glob("history-*.jsonl")),
    }
    seconds["all"] = sum(seconds.values())
    price = params.tracking.cost_per_hour
    return [
        ("training", "minutes", f"price, at {price:g} an hour"),
        *((step, f"{time / 60:.1f}", f"{time / 3600 * price:.3f}") for step, time in seconds.items()),
    ]


def _seconds(histories: Iterable[Path]) -> float:
    return sum(training_seconds(read_history(path)) for path in histories)
