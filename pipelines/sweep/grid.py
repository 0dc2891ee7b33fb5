"""The cells of the grid of a sweep, and the part of them that a user chooses."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from textbook.cells.cell import Cell
from textbook.errors import UserError
from textbook.params import Params


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
        "student": list(grid.students) or [""],
    }
