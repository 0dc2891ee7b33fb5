"""What teacher and student answer on the validation data."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.paths import MODELS, TASKS
from textbook.errors import UserError
from textbook.evaluation.predictions import PREDICTIONS, read_predictions
from textbook.files import read_json
from textbook.params import Params
from textbook.reporting.confusion import Confusion, confusion
from textbook.reporting.mistakes import Mistake, largest_errors, wrong_classes
from textbook.reporting.samples import shown
from textbook.tasks.splits import VALIDATION, read_split, texts, with_classes


def best_seed(task: str, model: str) -> int:
    """The seed of an adaptation that was kept: for the student, the one that is registered."""
    return int(read_json(MODELS / task / model / "result.json")["best_seed"])


def answers(params: Params, task: str) -> tuple[dict[str, Confusion], list[Mistake]]:
    """The confusion matrices by model, and texts where the student fails and its teacher doesn't.

    A task with a scale has no matrices.

    Raises:
        UserError: predictions are damaged, or were made for other validation data.
    """
    settings, split = with_classes(params.task(task), TASKS / task), read_split(TASKS / task, VALIDATION)
    labels = split["label"].to_numpy()
    rows = shown(*texts(split))
    paths = {model: MODELS / task / model / PREDICTIONS for model in ("student", "teacher")}
    by_seed = {model: _outputs(path, labels) for model, path in paths.items()}
    (teacher,) = by_seed["teacher"].values()
    student = by_seed["student"][best_seed(task, "student")]
    if settings.regression:
        return {}, largest_errors(rows, labels, teacher, student)
    names = settings.outputs
    matrices = {"student": confusion(labels, student, names), "teacher": confusion(labels, teacher, names)}
    return matrices, wrong_classes(rows, labels, teacher, student, names)


def _outputs(path: Path, labels: NDArray[Any]) -> dict[int, NDArray[np.float32]]:
    """A model's outputs by seed, which must be for the validation data."""
    predicted, outputs = read_predictions(path)
    if not np.array_equal(predicted, labels):
        raise UserError(f"{path}: has other labels than the validation data; run `dvc repro` to make both match")
    return outputs
