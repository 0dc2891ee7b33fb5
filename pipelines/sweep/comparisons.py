"""Paired differences between the places of a sweep's grid, from the predictions of their cells."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textbook.cells.cell import STUDENT, Cell
from textbook.evaluation.comparison import differences, in_points
from textbook.evaluation.predictions import PREDICTIONS
from textbook.params import Params
from textbook.reporting.cells import place_name


def compare_places(task_params: Mapping[str, Params], folders: Mapping[Cell, Path]) -> list[dict[str, Any]]:
    """Compare all places of the grid with each other, task by task.

    A place is everything but the task and the seed. The seeds of distillation and adaptation are taken together.

    Args:
        task_params: the parameters of each task's cells.
        folders: finished cells and their folders.

    Returns:
        For each task and pair of places a row with the score of the `first` minus that of the `second` in points, its
        standard error and degrees of freedom, the 95 % confidence interval, and the p-value. The p-value is not
        corrected for the number of comparisons, because that is how many a reader looks at.
    """
    places: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for cell, folder in folders.items():
        place = place_name(cell.init, cell.teacher, cell.textbook, cell.top_percent, cell.student)
        places[cell.task][place].append(folder / STUDENT / PREDICTIONS)
    rows = []
    for task, models in places.items():
        names, metric = list(models), task_params[task].task(task).metrics[0]
        for (one, other), difference in differences(metric, list(models.values())).items():
            figures = in_points(difference, 3)
            about: dict[str, Any] = {"task": task, "metric": metric, "first": names[one], "second": names[other]}
            value, freedom = figures.pop("value"), round(difference.freedom, 2)
            rows.append({**about, "difference": value, **figures, "freedom": freedom})
    return rows
