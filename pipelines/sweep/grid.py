"""The grid of a sweep. A cell is one student at its place in the grid."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from textbook.errors import UserError
from textbook.params import Init, Params, TeacherKind, TextbookKind, student_name

# What the folder of a cell has, and the names of some of its figures.
RESULT = "result.json"
SNAPSHOTS = "snapshots.jsonl"
STOPPED_FILE = "stopped.json"  # marks a cell that ASHA stopped early, with the settings of ASHA
LEAD = ("lead", "lead_error", "lead_low", "lead_high", "lead_p")  # over the teacher: see `compare_with_others`
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
    def cohort(self) -> tuple[str, str, str, float]:
        """What its student shares with those that can be distilled with it: task, teacher and textbook."""
        return self.task, self.teacher, self.textbook, self.top_percent

    def params(self, params: Params) -> Params:
        """The parameters for the shape, the distillation and the adaptation of this student."""
        place = {name: value for name, value in asdict(self).items() if name not in ("task", "student")}
        changed: dict[str, Any] = {"distill": params.distill.model_copy(update=place)}
        if self.student:
            changed["student"] = params.sweep.students[self.student]
        return params.model_copy(update=changed)


def choose_cells(params: Params, words: Sequence[str]) -> list[Cell]:
    """The cells of the grid, or of a part of it.

    Args:
        words: values of axes, such as `task=sst2` or `textbook=contextualized,augmented`; none for the whole grid.

    Raises:
        UserError: a word is not an axis with values of the grid, or a task has no augmented textbook.
    """
    axes = _axes(params)
    chosen: dict[str, list[Any]] = {}
    for word in words:
        name, _, values = word.partition("=")
        if name not in axes or not values:
            raise UserError(f"SWEEP: {word!r}: must be AXIS=VALUE,…; AXIS is one of {', '.join(axes)}")
        known = {f"{value:g}" if isinstance(value, float) else str(value): value for value in axes[name]}
        for value in values.split(","):
            if value not in known:
                raise UserError(f"SWEEP: {name}={value}: must be in the grid of params.yaml: {', '.join(known)}")
        chosen[name] = [known[value] for value in dict.fromkeys(values.split(","))]
    cells = all_cells(params, chosen)
    for cell in cells:
        if "augmented" in cell.textbook and cell.task not in params.textbooks.augmented:
            raise UserError(
                f"sweep.textbooks: 'augmented' needs textbooks.augmented.{cell.task}; add it, remove 'augmented' from"
                " sweep.textbooks, or run SWEEP='textbook=general,contextualized'"
            )
    return cells


def all_cells(params: Params, chosen: Mapping[str, list[Any]] | None = None) -> list[Cell]:
    """All cells of the grid, in its order.

    Args:
        chosen: values to use instead of the grid's, by axis.
    """
    return [Cell(*place) for place in product(*(_axes(params) | dict(chosen or {})).values())]


def group_cells(cells: Sequence[Cell], most: int) -> list[list[Cell]]:
    """Group cells whose students can be distilled together, at most `most` in a cohort, of about the same size."""
    groups: dict[tuple[str, str, str, float], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.cohort].append(cell)
    return [
        group[place * len(group) // parts : (place + 1) * len(group) // parts]
        for group in groups.values()
        for parts in [-(-len(group) // most)]
        for place in range(parts)
    ]


def _axes(params: Params) -> dict[str, list[Any]]:
    """The axes of the grid, in the order of a cell's fields."""
    grid = params.sweep
    return {
        "task": list(params.tasks),
        "init": grid.inits,
        "teacher": grid.teachers,
        "textbook": grid.textbooks,
        "seed": grid.seeds,
        "top_percent": grid.top_percents,
        "student": list(grid.students) or [""],
    }
