"""How many students fit into memory beside each other."""

import os

BYTES = 16  # of a weight in training: fp32 value, gradient, and two moments of AdamW
SHARE = 0.5  # of the memory; the rest is for the teacher, for one student's pass, and for other programs


def students_in_memory(weights: int, *, gpus: float, slots: int) -> int:
    """The number of students that fit into a cohort's part of this machine's memory.

    Args:
        weights: of a student.
        gpus: the number of GPUs of a cohort, or its share in one. If this machine has a GPU, its memory counts;
            otherwise, and with 0, that of the machine.
        slots: the number of cohorts that run in parallel.
    """
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / slots
    if gpus:
        import torch  # takes seconds, and without GPUs only the workers need it

        if torch.cuda.is_available():
            free = torch.cuda.get_device_properties(0).total_memory * min(1.0, gpus)
    return int(SHARE * free / (BYTES * weights))
