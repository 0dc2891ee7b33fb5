"""How many students fit into memory beside each other."""

import os

import torch

from pipelines.paths import ASSETS
from textbook.assets.manifest import locate
from textbook.models.encoder import load_config
from textbook.models.shapes import student_parameters
from textbook.params import Params

BYTES = 16  # of a parameter in training: fp32 weight, gradient, and two moments of AdamW
SHARE = 0.5  # of the memory; the rest is for the teacher, for one student's pass, and for other programs


def most_in_memory(params: Params, slots: int) -> int:
    """The number of students of a shape that fit into a slot's part of this machine's memory.

    That of its GPU, if students are distilled on GPUs and this machine has one.

    Args:
        params: those of a cell.
        slots: the number of cohorts that run in parallel.
    """
    parameters = student_parameters(params.student, load_config(locate(ASSETS / params.teacher.asset)))
    gpus = params.sweep.gpus
    if gpus and torch.cuda.is_available():
        free = torch.cuda.get_device_properties(0).total_memory * min(1.0, gpus)
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / slots
    return int(SHARE * free / (BYTES * parameters))
