"""Adaptation to a task of the project, for the students of stages and of the cells of a sweep, and for a baseline."""

from pathlib import Path

from pipelines.paths import TASKS, teacher_folder
from textbook.adaptation.adapt import GiveEncoder, adapt_encoder
from textbook.models.encoder import load_config
from textbook.models.student import make_student
from textbook.params import Params


def adapt_distilled(params: Params, task: str, distilled: Path, target: Path) -> None:
    """Adapt a distilled student with every seed, and keep the best one; see `adapt_encoder`."""
    adapt_on_task(params, task, lambda _seed, _folder: distilled, target)


def adapt_from_scratch(params: Params, task: str, target: Path) -> None:
    """Adapt a student with random weights, which also depend on the seed; see `adapt_encoder`."""
    config = load_config(teacher_folder(task))

    def write_student(seed: int, folder: Path) -> Path:
        make_student(params.student, config, seed).save_pretrained(folder)
        return folder

    adapt_on_task(params, task, write_student, target)


def adapt_on_task(
    params: Params, task: str, encoder_of: GiveEncoder, target: Path, *, train_words: bool = True
) -> None:
    """Adapt an encoder to a task of the project, with the task's teacher; see `adapt_encoder`."""
    data, teacher = TASKS / task, teacher_folder(task)
    adapt_encoder(teacher, data, params.task(task), params.adapt, encoder_of, target, train_words=train_words)
