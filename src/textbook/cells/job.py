"""What is done for a cell: its settings, the files that it reads, and its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textbook.cells.cell import Cell
from textbook.training.distillation.lessons import OpenBook

if TYPE_CHECKING:
    from textbook.params import Adapt, Distill, Student, Task


@dataclass(frozen=True)
class CellInputs:
    """The files that a cell reads."""

    data: Path
    """The folder of the prepared task."""
    task_teacher: Path
    """The folder of the teacher that was fine-tuned on the task: tokenizer, weights, result and predictions."""
    teacher: Path
    """The Hugging Face folder of the teacher that the student is distilled from."""
    init: Path | None
    """The Hugging Face folder of the encoder that the student starts from; None: random weights of its shape."""
    books: Sequence[OpenBook]
    """Open the tokenised textbooks, in the order in which the student is distilled on them."""


@dataclass(frozen=True)
class CellJob:
    """A cell that is to be made."""

    cell: Cell
    folder: Path
    """The folder of the cell, whose name identifies everything that decides the result."""
    task: Task
    student: Student
    distill: Distill
    adapt: Adapt
    inputs: CellInputs
    first: Path | None = None
    """The folder of the cell `cell.first`, if that is another cell, and its student may be used."""
