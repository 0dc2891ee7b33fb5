"""Stages `init_random` and `init_general`: the weights that students start from, made once for all tasks."""

import shutil
from pathlib import Path

from transformers import PreTrainedModel

from pipelines.distill import teach_on, tokens_of
from pipelines.stage import ASSETS, CACHE, CORPUS, INIT, TASKS, run
from textbook.assets import locate
from textbook.corpus.shards import corpus_hash, corpus_size
from textbook.files import digest, hash_folder, write_aside, write_json
from textbook.models.encoder import check_relation_heads, load_config, load_tokenizer
from textbook.models.student import Shape, make_student
from textbook.params import Params
from textbook.tasks.prepare import evaluation_sentences
from textbook.textbooks.book import write_book
from textbook.textbooks.general import sample
from textbook.textbooks.leaks import LeakFilter
from textbook.training.log import log_to_file


def init(params: Params, kind: str) -> None:
    """Write an encoder of the student's shape as a Hugging Face folder: `random`, or `general`.

    The general one learned from the pretrained teacher on a sample of the corpus (MiniLMv2's general distillation).
    """
    teacher = locate(ASSETS / params.teacher.asset)
    config = load_config(teacher)
    check_relation_heads(config.hidden_size, params.distill.relation_heads, "teacher")
    student = make_student(Shape(**params.student.model_dump()), config, params.distill.seed)
    with write_aside(INIT / kind) as aside:
        aside.mkdir()
        if kind == "general":
            _teach_in_general(params, teacher, student, aside)
        student.save_pretrained(aside)
        load_tokenizer(teacher).save_pretrained(aside)


def _teach_in_general(params: Params, teacher: Path, student: PreTrainedModel, aside: Path) -> None:
    """Distil the student on a sample of the corpus without any task's evaluation sentences; notes go to `aside`."""
    settings = params.distill.model_copy(update={"steps": params.general_init.steps})
    general, ngram = params.textbooks.general, params.textbooks.leak_ngram
    evaluation = [one for task in params.tasks for one in evaluation_sentences(TASKS / task)]
    inputs = [section.model_dump() for section in (settings, params.student, general)]
    work = CACHE / "init" / digest(*inputs, ngram, evaluation, corpus_hash(CORPUS), hash_folder(teacher))
    work.mkdir(parents=True, exist_ok=True)
    book = work / "textbook.parquet"
    if not book.is_file():
        ids = sample(corpus_size(CORPUS), general.sentences, general.seed)
        with write_aside(book) as partial:
            counts = write_book(CORPUS, ids, LeakFilter(evaluation, ngram), partial)
            write_json(work / "textbook.json", counts)
    log = log_to_file(work / "history.jsonl")
    teach_on(tokens_of(book, teacher, settings.max_length), teacher, student, settings, log, work / "checkpoints")
    for name in ("textbook.json", "history.jsonl"):
        shutil.copy(work / name, aside)
    shutil.rmtree(work)


if __name__ == "__main__":
    run(init)
