"""The cells of the grid of a sweep, and the part of them that a user chooses."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from textbook.cells.cell import Cell
from textbook.errors import UserError
from textbook.params import Params


def choose_cells(params: Params, words: Sequence[str]) -> list[Cell]:
    """The cells of the grid, or of a part of it. A printed line says which textbooks are left out for want of settings.

    Args:
        words: values of axes, such as `task=sst2` or `textbook=contextualized,augmented`; none for the whole grid.

    Raises:
        UserError: a word is not an axis with values of the grid; or a task has no settings for a textbook, and the
            words name both, or no other cell is left.
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
    places = _places(axes | chosen)
    cells = [cell for cell in places if _has_textbook(params, cell)]
    lacking = [cell for cell in places if not _has_textbook(params, cell)]
    if lacking and (not cells or {"task", "textbook"} <= chosen.keys()):
        raise UserError(
            f"sweep.textbooks: 'augmented' needs textbooks.augmented.{lacking[0].task}; add it, remove 'augmented' from"
            " sweep.textbooks, or run SWEEP='textbook=general,contextualized'"
        )
    if lacking:
        books, tasks = (dict.fromkeys(getattr(cell, axis) for cell in lacking) for axis in ("textbook", "task"))
        names = f"{', '.join(books)} of {', '.join(tasks)}"
        print(f"left out: the textbooks {names} (no settings in textbooks.augmented)", flush=True)
    return cells


def all_cells(params: Params) -> list[Cell]:
    """All cells of the grid, in its order. A task has no cells of a textbook that it has no settings for."""
    return [cell for cell in _places(_axes(params)) if _has_textbook(params, cell)]


def _has_textbook(params: Params, cell: Cell) -> bool:
    return "augmented" not in cell.textbook or cell.task in params.textbooks.augmented


def _places(axes: Mapping[str, list[Any]]) -> list[Cell]:
    """Every combination of the values of the axes."""
    return [Cell(*place) for place in product(*axes.values())]


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
