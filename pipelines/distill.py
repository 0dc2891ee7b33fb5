"""Stage `distill@t`: the teacher teaches a student on the textbook (MiniLMv2's relations)."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields
from functools import partial
from math import ceil
from pathlib import Path

from transformers import PreTrainedModel

from pipelines.record import live_run
from pipelines.stage import ASSETS, CACHE, INIT, MODELS, run, textbook_files
from textbook.assets import locate
from textbook.files import digest, hash_code, hash_folder, sha256, write_aside
from textbook.models.encoder import load_config, load_encoder, load_tokenizer, resolve_layer
from textbook.params import Distill, Params
from textbook.training import token_file
from textbook.training import tokens as token_arrays
from textbook.training.device import best_devices
from textbook.training.distill import Settings
from textbook.training.distill import distill as train
from textbook.training.log import Log, log_to_file, shifted
from textbook.training.token_file import tokenize_book
from textbook.training.tokens import Tokens, open_tokens

CODE = hash_code(token_file, token_arrays)  # a token file is made again when the code is another
Live = Callable[[Path], AbstractContextManager[Log]]


def distill(params: Params, task: str) -> None:
    """Write the distilled encoder as a Hugging Face folder, with its history and the id of its MLflow run."""
    teach(params, task, MODELS / task / "distilled", partial(live_run, params, task))


def teach(params: Params, task: str, target: Path, live: Live) -> None:
    """Distil the student that `distill` describes into `target`, one textbook after the other.

    Killed and run again, it goes on from its last checkpoint.

    Args:
        live: opens what records the run while it goes on, and notes in the given file which run that is.
    """
    settings = params.distill
    teacher = teacher_folder(params, task)
    books = textbook_files(task, settings.textbook)
    student = load_encoder(INIT / settings.init)
    # Everything that decides the outcome names the work folder, so only this very run goes on from its checkpoints.
    inputs = [settings.model_dump(), hash_folder(INIT / settings.init), hash_folder(teacher)]
    work = CACHE / "distill" / digest(*inputs, *map(sha256, books))
    work.mkdir(parents=True, exist_ok=True)
    with live(work / "run.json") as log:
        done = 0
        for number, book in enumerate(books, 1):
            tokens = tokens_of(book, teacher, settings.max_length)
            if number == 1:
                tokens, stage = tokens.head(settings.top_percent), settings
            else:
                stage = _second_stage(settings, len(tokens))
            log_on = shifted(log_to_file(work / "history.jsonl", then=log), done)
            teach_on(tokens, teacher, student, stage, log_on, work / f"checkpoints-{number}", work / "snapshots")
            done += stage.steps
    with write_aside(target) as aside:
        for name in (path.name for path in (work / "snapshots").glob("*")):
            shutil.copytree(work / "snapshots" / name, aside / "snapshots" / name)
            load_tokenizer(teacher).save_pretrained(aside / "snapshots" / name)
        student.save_pretrained(aside)
        load_tokenizer(teacher).save_pretrained(aside)
        for name in ("history.jsonl", "run.json"):
            shutil.copy(work / name, aside)
    shutil.rmtree(work)


def teacher_folder(params: Params, task: str) -> Path:
    """Where the teacher that `distill.teacher` names is."""
    return MODELS / task / "teacher" if params.distill.teacher == "task" else locate(ASSETS / params.teacher.asset)


def teach_on(
    tokens: Tokens,
    teacher: Path,
    student: PreTrainedModel,
    settings: Distill,
    log: Log,
    checkpoints: Path,
    snapshots: Path | None = None,
) -> None:
    """Train the student in place on one textbook."""
    config, devices = load_config(teacher), best_devices()
    train(
        load_encoder(teacher, devices[0].dtype),
        student,
        tokens,
        Settings(**settings.model_dump(include={field.name for field in fields(Settings)})),
        teacher_layer=resolve_layer(settings.teacher_layer, config.num_hidden_layers, config.model_type),
        student_layer=student.config.num_hidden_layers,
        pad_id=load_tokenizer(teacher).pad_token_id,
        devices=devices,
        log=log,
        checkpoints=checkpoints,
        snapshots=snapshots,
    )


def tokens_of(book: Path, tokenizer_folder: Path, max_length: int) -> Tokens:
    """The tokenised textbook, from the cache if it was tokenised before."""
    folder = CACHE / "tokens" / digest(sha256(book), sha256(tokenizer_folder / "tokenizer.json"), max_length, CODE)
    tokenize_book(book, tokenizer_folder, max_length, folder)
    return open_tokens(folder)


def _second_stage(settings: Distill, texts: int) -> Distill:
    """The settings of the second stage on a textbook of so many texts."""
    second = settings.second
    steps = ceil(second.epochs * texts / settings.batch)
    return settings.model_copy(update={"steps": steps, "lr": second.lr, "warmup": second.warmup, "snapshots": []})


if __name__ == "__main__":
    run(distill)
