"""Stage `distill@t`: the teacher teaches a randomly initialised student on the textbook (MiniLMv2's relations)."""

import shutil
from pathlib import Path

from pipelines.record import live_run
from pipelines.stage import CACHE, MODELS, TEXTBOOKS, run
from textbook.files import digest, hash_folder, sha256, write_aside
from textbook.models.encoder import load_config, load_encoder, load_tokenizer, resolve_layer
from textbook.models.student import make_student
from textbook.params import Params
from textbook.textbooks.book import read_book
from textbook.training.device import best_device
from textbook.training.distill import distill as train
from textbook.training.log import log_to_file
from textbook.training.tokens import Tokens, open_tokens, save_tokens, tokenize


def distill(params: Params, task: str) -> None:
    """Write the distilled encoder as a Hugging Face folder, with its history and the id of its MLflow run."""
    settings = params.distill
    folder = MODELS / task / "teacher"
    book = TEXTBOOKS / task / f"{settings.textbook}.parquet"
    config, tokenizer = load_config(folder), load_tokenizer(folder)
    tokens = _tokens(book, folder, settings.max_length)
    student = make_student(params.student, config, settings.seed)
    layer = resolve_layer(settings.teacher_layer, config.num_hidden_layers, config.model_type)
    # Everything that decides the outcome names the work folder, so only this very run goes on from its checkpoints.
    inputs = [settings.model_dump(), params.student.model_dump(), sha256(book), hash_folder(folder)]
    work = CACHE / "distill" / digest(*inputs)
    work.mkdir(parents=True, exist_ok=True)
    with live_run(params, task, work / "run.json") as log:
        train(
            load_encoder(folder, best_device().dtype),
            student,
            tokens,
            settings,
            teacher_layer=layer,
            student_layer=params.student.layers,
            pad_id=tokenizer.pad_token_id,
            device=best_device(),
            log=log_to_file(work / "history.jsonl", then=log),
            checkpoints=work / "checkpoints",
        )
    with write_aside(MODELS / task / "distilled") as aside:
        student.save_pretrained(aside)
        tokenizer.save_pretrained(aside)
        for name in ("history.jsonl", "run.json"):
            shutil.copy(work / name, aside)
    shutil.rmtree(work)


def _tokens(book: Path, tokenizer_folder: Path, max_length: int) -> Tokens:
    """The tokenised textbook, from the cache if it was tokenised before."""
    folder = CACHE / "tokens" / digest(sha256(book), sha256(tokenizer_folder / "tokenizer.json"), max_length)
    if not folder.is_dir():
        save_tokens(tokenize(load_tokenizer(tokenizer_folder), *read_book(book), max_length), folder)
    return open_tokens(folder)


if __name__ == "__main__":
    run(distill)
