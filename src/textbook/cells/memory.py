"""How many students fit into memory beside each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from textbook.models.student import student_parameters

if TYPE_CHECKING:
    from textbook.params import Student

BYTES = 16  # of a parameter in training: fp32 weight, gradient, and two moments of AdamW
SHARE = 0.5  # of the memory; the rest is for the teacher, for one student's pass, and for other programs


def students_in_memory(shape: Student, teacher_config: Any, *, gpus: float, slots: int) -> int:
    """The number of students of a shape that fit into a cohort's part of this machine's memory.

    Args:
        gpus: the number of GPUs of a cohort, or its share in one. If this machine has a GPU, its memory counts;
            otherwise, and with 0, that of the machine.
        slots: the number of cohorts that run in parallel.
    """
    if gpus and torch.cuda.is_available():
        free = torch.cuda.get_device_properties(0).total_memory * min(1.0, gpus)
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / slots
    return int(SHARE * free / (BYTES * student_parameters(shape, teacher_config)))
