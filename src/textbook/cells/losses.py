"""The relation losses of the students of cells on the texts of their task, which the teacher reads once for all."""

from collections.abc import Sequence
from pathlib import Path

from textbook.cells.cell import DISTILLED, RELATION_LOSSES
from textbook.cells.folder import Clock
from textbook.cells.job import CellJob
from textbook.evaluation.relation_loss import mean_relation_losses
from textbook.files import read_json, write_json
from textbook.models.encoder import load_encoder, load_tokenizer
from textbook.tasks.splits import TRAIN, VALIDATION, read_split, texts
from textbook.training.distillation.pair import load_pairs
from textbook.training.engine.device import best_device
from textbook.training.engine.tokens import tokenize

PROBE = 1000  # number of the task's texts on which the relation loss is measured
LOSSES = "relation_losses.json"
"""A file in the folder of a cell that is not finished."""


def write_losses(jobs: Sequence[CellJob]) -> None:
    """Measure the distilled students of a cohort together, for `read_losses`. The seconds are shared by the cells."""
    waiting = [job for job in jobs if not (job.folder / LOSSES).is_file()]
    if not waiting:
        return
    clocks = [Clock(job.folder, share=1 / len(waiting)) for job in waiting]
    losses = measure_losses(waiting[0], [job.folder / DISTILLED for job in waiting])
    for job, clock, own in zip(waiting, clocks, losses, strict=True):
        write_json(job.folder / LOSSES, own)
        clock.tick()


def read_losses(job: CellJob) -> dict[str, float]:
    """The relation losses of the distilled student of a cell, as `write_losses` wrote them."""
    return dict(read_json(job.folder / LOSSES))


def measure_losses(job: CellJob, students: Sequence[Path]) -> list[dict[str, float]]:
    """The relation losses between students and their teacher, on the task's training texts and on its validation texts.

    No textbook contains the validation texts. The augmented textbook contains the training texts.

    Args:
        job: a cell with the task, the teacher and the layers that are compared.
        students: folders of encoders.
    """
    tokenizer = load_tokenizer(job.inputs.teacher)
    pairs = load_pairs(job.inputs.teacher, [load_encoder(student) for student in students], job.distill)
    losses: list[dict[str, float]] = [{} for _ in students]
    for name, split in zip(RELATION_LOSSES, (TRAIN, VALIDATION), strict=True):
        probe = texts(read_split(job.inputs.data, split).slice(0, PROBE))
        tokens = tokenize(tokenizer, *probe, job.distill.max_length)
        for own, loss in zip(losses, mean_relation_losses(pairs, tokens, best_device()), strict=True):
            own[name] = round(loss, 4)
    return losses
