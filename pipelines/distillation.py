"""Distillation of students on the project's textbooks, for stages and for the cells of a sweep."""

from functools import partial
from pathlib import Path

from pipelines.code import hash_code
from pipelines.paths import ASSETS, CACHE, INIT, teacher_folder, textbook_files
from textbook.assets.manifest import locate
from textbook.files import digest, sha256
from textbook.models.encoder import load_encoder
from textbook.models.folders import tokenizer_hash
from textbook.params import Params
from textbook.training.distillation.lessons import LiveLog, OpenBook, Order, distil_students
from textbook.training.engine.token_file import tokenize_book
from textbook.training.engine.tokens import Tokens, open_tokens


def distil_student(params: Params, task: str, target: Path, work: Path, live: LiveLog) -> None:
    """Distil the student of the section `distill` on its textbooks, one after the other; see `Order`.

    Raises:
        UserError: see `distill_cohort`; or the student's weights are not finite.
    """
    student = load_encoder(INIT / params.distill.init)
    order = Order(params.distill, student, target, work, live)
    for error in distil_students(teacher_of(params, task), books_of(params, task), [order]).values():
        raise error


def teacher_of(params: Params, task: str) -> Path:
    """The folder of the teacher that `distill.teacher` names."""
    return teacher_folder(task) if params.distill.teacher == "task" else locate(ASSETS / params.teacher.asset)


def books_of(params: Params, task: str) -> list[OpenBook]:
    """Functions that open the textbooks that `distill.textbook` names; each tokenises its textbook if needed."""
    settings, teacher = params.distill, teacher_of(params, task)
    files = textbook_files(task, settings.textbook)
    return [partial(tokens_of, book, teacher, settings.max_length) for book in files]


def tokens_of(book: Path, tokenizer_folder: Path, max_length: int) -> Tokens:
    """The tokenised textbook, from the cache if it was tokenised before."""
    code = hash_code(tokenize_book.__module__)
    folder = CACHE / "tokens" / digest(sha256(book), tokenizer_hash(tokenizer_folder), max_length, code)
    tokenize_book(book, tokenizer_folder, max_length, folder)
    return open_tokens(folder)
