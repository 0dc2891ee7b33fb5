"""The grid of a sweep. A cell is one student at its place in the grid."""

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
    """A place in the grid. `seed` is the seed of distillation."""

    task: str
    init: Init
    teacher: TeacherKind
    textbook: TextbookKind
    seed: int
    top_percent: float = 100.0

    def __str__(self) -> str:
        return student_name(self.task, self.init, self.teacher, self.textbook, self.top_percent)

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return f"{self.task}-{self.init}-{self.teacher}-{self.textbook}-{self.top_percent:g}-{self.seed}"

    def params(self, params: Params) -> Params:
        """The parameters for `distill` and `adapt` of this student."""
        place = {name: value for name, value in asdict(self).items() if name != "task"}
        return params.model_copy(update={"distill": params.distill.model_copy(update=place)})


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
    }
