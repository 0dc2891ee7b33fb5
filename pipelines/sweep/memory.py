"""How many students of a sweep fit into memory beside each other."""

from pipelines.paths import ASSETS
from textbook.assets.manifest import locate
from textbook.cells.memory import students_in_memory
from textbook.models.encoder import load_config
from textbook.params import Params


def most_in_memory(params: Params, slots: int) -> int:
    """The number of students of a shape that fit into a slot's part of this machine's memory.

    That of its GPU, if students are distilled on GPUs and this machine has one.

    Args:
        params: those of a cell.
        slots: the number of cohorts that run in parallel.
    """
    config = load_config(locate(ASSETS / params.teacher.asset))
    return students_in_memory(params.student, config, gpus=params.sweep.gpus, slots=slots)
