"""Which layers and losses a CPU trains with: compiled ones, or PyTorch's own on a machine without numba."""

import os
from importlib.util import find_spec

COMPILED, PLAIN = "numba", "plain"
_VARIABLE = "TEXTBOOK_CPU_ENGINE"  # a variable of the environment, which the processes of the seeds inherit


def cpu_engine() -> str:
    """The engine of this process: `COMPILED`, unless `allow_plain` has found no numba."""
    return os.environ.get(_VARIABLE, COMPILED)


def allow_plain() -> str:
    """Let this process and those that it starts train without numba if it is not installed.

    The plain engine draws other random numbers and rounds otherwise, so the caller must record what this returns.

    Returns:
        The engine.
    """
    os.environ[_VARIABLE] = COMPILED if find_spec("numba") else PLAIN
    return cpu_engine()
