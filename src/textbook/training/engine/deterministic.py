"""Runs that are the same to the bit on a GPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from textbook.errors import UserError


@contextmanager
def deterministic_algorithms(whose: str) -> Iterator[None]:
    """Within the block, two runs of the same work on the same GPU give the same bits.

    Start it before the first matrix product of the process, because cuBLAS reads its setting then.

    Args:
        whose: what asks for it, in error messages.

    Raises:
        UserError: PyTorch has no such algorithm for an operation; the message names the operation.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    memory: Any = torch.utils.deterministic
    before, filled = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # only finds mistakes, and costs time
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise UserError(f"{whose}: is not possible here: {str(error).splitlines()[0]}") from error
    finally:
        torch.use_deterministic_algorithms(before)
        memory.fill_uninitialized_memory = filled
