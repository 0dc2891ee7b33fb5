"""Distillation of one student on its textbooks, for the stage `distill` and for the cells of a sweep."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import ceil
from pathlib import Path

from transformers import PreTrainedModel

from pipelines.code import hash_code
from pipelines.paths import ASSETS, CACHE, INIT, teacher_folder, textbook_files
from textbook.assets.manifest import locate
from textbook.files import atomic_write, copy_folder, digest, sha256
from textbook.models.encoder import load_encoder, load_tokenizer
from textbook.models.folders import tokenizer_hash
from textbook.params import Distill, Params
from textbook.training.distillation.distill import RATE, distill
from textbook.training.distillation.pair import load_pair
from textbook.training.engine.checks import check_finite
from textbook.training.engine.device import best_devices
from textbook.training.engine.log import Log, log_to_file, shifted
from textbook.training.engine.token_file import tokenize_book
from textbook.training.engine.tokens import Tokens, open_tokens

LiveLog = Callable[[Path], AbstractContextManager[Log]]
"""Opens a log that shows a running distillation. Its argument is the file to which the log writes its run."""


def distil_student(params: Params, task: str, target: Path, work: Path, live: LiveLog) -> None:
    """Distil the student of the section `distill` on its textbooks, one after the other.

    Args:
        target: gets the student as a Hugging Face folder, with its history and `run.json`.
        work: a folder for this distillation only. A killed distillation resumes from the last checkpoint there.
    """
    settings = params.distill
    teacher = teacher_of(params, task)
    student = load_encoder(INIT / settings.init)
    with live(work / "run.json") as log:
        done = 0
        for number, book in enumerate(textbook_files(task, settings.textbook), 1):
            tokens = tokens_of(book, teacher, settings.max_length)
            if number == 1:
                tokens, stage = tokens.head(settings.top_percent), settings
            else:
                stage = _second_stage(settings, len(tokens))
            stage_log = shifted(log_to_file(work / "history.jsonl", then=log), done)
            distil_on(tokens, teacher, student, stage, stage_log, work / f"checkpoints-{number}", work / "snapshots")
            done += stage.steps
    tokenizer = load_tokenizer(teacher)
    with atomic_write(target) as temporary:
        for name in (path.name for path in (work / "snapshots").glob("*")):
            copy_folder(work / "snapshots" / name, temporary / "snapshots" / name)
            tokenizer.save_pretrained(temporary / "snapshots" / name)
        student.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        for name in ("history.jsonl", "run.json"):
            shutil.copy(work / name, temporary)


def teacher_of(params: Params, task: str) -> Path:
    """The folder of the teacher that `distill.teacher` names."""
    return teacher_folder(task) if params.distill.teacher == "task" else locate(ASSETS / params.teacher.asset)


def distil_on(
    tokens: Tokens,
    teacher: Path,
    student: PreTrainedModel,
    settings: Distill,
    log: Log,
    checkpoints: Path,
    snapshots: Path | None = None,
) -> None:
    """Train the student in place on one textbook, on all devices of this machine."""
    devices = best_devices()
    pair = load_pair(teacher, student, settings, devices[0].dtype)
    distill(pair, tokens, settings, devices=devices, log=log, checkpoints=checkpoints, snapshots=snapshots)
    check_finite(student.state_dict(), "distill", RATE, settings.lr)


def tokens_of(book: Path, tokenizer_folder: Path, max_length: int) -> Tokens:
    """The tokenised textbook, from the cache if it was tokenised before."""
    code = hash_code(tokenize_book.__module__)
    folder = CACHE / "tokens" / digest(sha256(book), tokenizer_hash(tokenizer_folder), max_length, code)
    tokenize_book(book, tokenizer_folder, max_length, folder)
    return open_tokens(folder)


def _second_stage(settings: Distill, texts: int) -> Distill:
    """The settings of the second stage, on a textbook with a given number of texts."""
    second = settings.second
    steps = ceil(second.epochs * texts / settings.batch)
    return settings.model_copy(update={"steps": steps, "lr": second.lr, "warmup": second.warmup, "snapshots": []})
