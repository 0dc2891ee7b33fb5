"""A cell: one student at its place in the grid of a sweep, and cells that can be distilled together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from textbook.names import student_name

if TYPE_CHECKING:
    from textbook.params import Init, Params, TeacherKind, TextbookKind

# What the folder of a cell has, and the names of some of its figures.
RESULT = "result.json"
DISTILLED = "distilled"
STUDENT = "student"
SNAPSHOTS = "snapshots.jsonl"
STOPPED_FILE = "stopped.json"  # marks a cell that ASHA stopped early, with the settings of ASHA
LEAD = ("lead", "lead_error", "lead_low", "lead_high", "lead_p")  # over the teacher: see `compare_with_others`
TEST_SCORES = ("test_score", "test_std", "test_standard_error", "teacher_test_score")  # if there is a test split
RELATION_LOSSES = ("task_relation_loss", "validation_relation_loss")  # on training texts and on validation texts


@dataclass(frozen=True)
class Cell:
    """A place in the grid."""

    task: str
    init: Init
    teacher: TeacherKind
    textbook: TextbookKind
    seed: int
    """Of distillation."""
    top_percent: float = 100.0
    student: str = ""
    """The name of its shape in `sweep.students`; empty for that of the section `student`."""

    def __str__(self) -> str:
        return student_name(self.task, self.init, self.teacher, self.textbook, self.top_percent, self.student)

    @property
    def slug(self) -> str:
        """The name of its folder."""
        shape = f"-{self.student}" if self.student else ""
        return f"{self.task}-{self.init}-{self.teacher}-{self.textbook}-{self.top_percent:g}-{self.seed}{shape}"

    @property
    def first(self) -> Cell:
        """The cell with the first textbook only, whose distilled student a cell with two textbooks goes on from.

        A cell with one textbook is its own.
        """
        return replace(self, textbook=cast("TextbookKind", self.textbook.partition("+")[0]))

    @property
    def cohort(self) -> tuple[str, str, str, float]:
        """What its student shares with those that can be distilled with it: task, teacher and first textbook."""
        return self.task, self.teacher, self.first.textbook, self.top_percent

    def params(self, params: Params) -> Params:
        """The parameters for the shape, the distillation and the adaptation of this student."""
        place = {name: value for name, value in asdict(self).items() if name not in ("task", "student")}
        changed: dict[str, Any] = {"distill": params.distill.model_copy(update=place)}
        if self.student:
            changed["student"] = params.sweep.students[self.student]
        return params.model_copy(update=changed)


def group_cells(cells: Sequence[Cell], most: int) -> list[list[Cell]]:
    """Group cells whose students can be distilled together, at most `most` in a cohort, of about the same size.

    Cells that go on from the same student are next to each other.
    """
    groups: dict[tuple[str, str, str, float], dict[Cell, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        groups[cell.cohort][cell.first].append(cell)
    return [
        group[place * len(group) // parts : (place + 1) * len(group) // parts]
        for group in ([cell for same in alike.values() for cell in same] for alike in groups.values())
        for parts in [-(-len(group) // most)]
        for place in range(parts)
    ]
