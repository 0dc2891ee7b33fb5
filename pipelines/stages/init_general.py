"""Stage `init_general`: distil a student on general text, once for all tasks (MiniLMv2's general distillation)."""

import shutil
from functools import partial
from pathlib import Path

from transformers import PreTrainedModel

from pipelines.cli import run
from pipelines.distillation import tokens_of
from pipelines.initial_students import write_initial_student
from pipelines.paths import CORPUS, TASKS
from pipelines.work import work_folder
from textbook.corpus.shards import corpus_hash, corpus_size
from textbook.files import atomic_write, hash_folder, remove, write_json
from textbook.params import Params
from textbook.tasks.splits import evaluation_sentences
from textbook.textbooks.book import write_book
from textbook.textbooks.general import sample
from textbook.textbooks.leaks import LeakFilter
from textbook.training.distillation.lessons import Lesson, distil_on
from textbook.training.engine.log import log_to_file


def main(params: Params) -> None:
    """Write a student distilled from the pretrained teacher on a sample of the corpus, as a Hugging Face folder."""
    write_initial_student(params, "general", partial(_distil, params))


def _distil(params: Params, teacher: Path, student: PreTrainedModel, folder: Path) -> None:
    """Distil the student on a sample of the corpus without any task's evaluation sentences."""
    settings = params.distill.model_copy(update={"steps": params.general_init.steps})
    general, ngram = params.textbooks.general, params.textbooks.leak_ngram
    evaluation = [sentence for task in params.tasks for sentence in evaluation_sentences(TASKS / task)]
    inputs = [section.model_dump() for section in (settings, params.student, general)]
    work = work_folder("init_general", inputs, ngram, evaluation, corpus_hash(CORPUS), hash_folder(teacher))
    book = work / "textbook.parquet"
    if not book.is_file():
        ids = sample(corpus_size(CORPUS), general.sentences, general.seed)
        with atomic_write(book) as temporary:
            write_json(work / "textbook.json", write_book(CORPUS, ids, LeakFilter(evaluation, ngram), temporary))
    lesson = Lesson(student, settings, log_to_file(work / "history.jsonl"), work / "checkpoints")
    for error in distil_on(tokens_of(book, teacher, settings.max_length), teacher, [lesson]).values():
        raise error
    for name in ("textbook.json", "history.jsonl"):
        shutil.copy(work / name, folder)
    remove(work)


if __name__ == "__main__":
    run(main)
