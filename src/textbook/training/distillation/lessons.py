"""Distillation of students on textbooks, one after the other, from folders to folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from textbook.errors import UserError
from textbook.files import atomic_write, copy_folder
from textbook.models.encoder import load_tokenizer
from textbook.training.distillation.cohort import distill_cohort
from textbook.training.distillation.learner import RATE, Member
from textbook.training.distillation.pair import load_pairs
from textbook.training.engine.checks import check_finite
from textbook.training.engine.device import best_devices
from textbook.training.engine.log import Log, log_to_file, shifted
from textbook.training.engine.tokens import Tokens

if TYPE_CHECKING:
    from textbook.params import Distill

LiveLog = Callable[[Path], AbstractContextManager[Log]]
"""Opens a log that shows a running distillation. Its argument is the file to which the log writes its run."""
OpenBook = Callable[[], Tokens]
"""Opens a tokenised textbook."""


@dataclass(frozen=True)
class Order:
    """A student to be distilled."""

    settings: Distill
    """All orders of a cohort have the same teacher, textbooks, steps, batch and seed of the order."""
    student: PreTrainedModel
    """The encoder to start from. It is trained in place."""
    target: Path
    """Gets the student as a Hugging Face folder, with its history and `run.json`."""
    work: Path
    """A folder for this distillation only. A killed distillation resumes from the last checkpoint there."""
    live: LiveLog


def distil_students(
    teacher: Path, books: Sequence[OpenBook], orders: Sequence[Order], *, begin: int = 1
) -> dict[int, UserError]:
    """Distil the students of a cohort on their textbooks, one textbook after the other.

    Args:
        teacher: the folder of their teacher.
        books: one or two. Each is opened when its turn comes.
        begin: the number of the textbook to begin with; with 2, the students have been distilled on the first one.

    Returns:
        The errors of the students that left the cohort, by the place of their order. They have no target.

    Raises:
        UserError: see `distill_cohort`.
    """
    errors: dict[int, UserError] = {}
    with ExitStack() as stack:
        logs = [stack.enter_context(_watched(order, place, errors)) for place, order in enumerate(orders)]
        done = orders[0].settings.steps if begin > 1 else 0
        for number, open_book in enumerate(books[begin - 1 :], begin):
            tokens = open_book()
            if number == 1:
                tokens = tokens.head(orders[0].settings.top_percent)
            lessons = {
                place: Lesson(
                    order.student,
                    order.settings if number == 1 else _second_stage(order.settings, len(tokens)),
                    shifted(log_to_file(order.work / "history.jsonl", then=logs[place]), done),
                    order.work / f"checkpoints-{number}",
                    order.work / "snapshots",
                )
                for place, order in enumerate(orders)
                if place not in errors
            }
            failed = distil_on(tokens, teacher, list(lessons.values()))
            errors |= {list(lessons)[place]: error for place, error in failed.items()}
            done += next(iter(lessons.values())).settings.steps
            if len(errors) == len(orders):
                break
    for place, order in enumerate(orders):
        if place not in errors:
            _write(order, teacher)
    return errors


@contextmanager
def _watched(order: Order, place: int, errors: Mapping[int, UserError]) -> Iterator[Log]:
    """The live log of an order, which ends with the student's error if it has left the cohort."""
    try:
        with order.live(order.work / "run.json") as log:
            yield log
            if place in errors:
                raise errors[place]
    except UserError as error:
        if error is not errors.get(place):
            raise


def _write(order: Order, teacher: Path) -> None:
    """Write the distilled student."""
    work, tokenizer = order.work, load_tokenizer(teacher)
    with atomic_write(order.target) as temporary:
        for name in (path.name for path in (work / "snapshots").glob("*")):
            copy_folder(work / "snapshots" / name, temporary / "snapshots" / name)
            tokenizer.save_pretrained(temporary / "snapshots" / name)
        order.student.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        for name in ("history.jsonl", "run.json"):
            shutil.copy(work / name, temporary)


@dataclass(frozen=True)
class Lesson:
    """One student on one textbook. The fields are those of `Member`."""

    student: PreTrainedModel
    settings: Distill
    log: Log
    checkpoints: Path
    snapshots: Path | None = None


def distil_on(tokens: Tokens, teacher: Path, lessons: Sequence[Lesson]) -> dict[int, UserError]:
    """Train students in place on one textbook, on all devices of this machine.

    Returns:
        The errors of the students whose loss or weights were not finite, by place.

    Raises:
        UserError: see `distill_cohort`.
    """
    devices = best_devices()
    pairs = load_pairs(teacher, [lesson.student for lesson in lessons], lessons[0].settings, devices[0].dtype)
    members = [
        Member(pair, lesson.settings, lesson.log, lesson.checkpoints, lesson.snapshots)
        for pair, lesson in zip(pairs, lessons, strict=True)
    ]
    errors = {place: e for place, e in enumerate(distill_cohort(members, tokens, devices=devices)) if e}
    for place, lesson in enumerate(lessons):
        if place not in errors:
            try:
                check_finite(lesson.student.state_dict(), "distill", RATE, lesson.settings.lr)
            except UserError as error:
                errors[place] = error
    return errors


def _second_stage(settings: Distill, texts: int) -> Distill:
    """The settings of the second stage, on a textbook with a given number of texts."""
    second = settings.second
    steps = ceil(second.epochs * texts / settings.batch)
    return settings.model_copy(update={"steps": steps, "lr": second.lr, "warmup": second.warmup, "snapshots": []})
