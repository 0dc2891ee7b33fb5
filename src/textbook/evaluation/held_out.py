"""Scores on the test split of a task, from predictions that nothing selects by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textbook.evaluation.metrics import measure_outputs, summarize
from textbook.evaluation.predictions import TEST_PREDICTIONS, read_predictions

if TYPE_CHECKING:
    from textbook.params import Metric


def scores_on_test(folder: Path, metrics: Sequence[Metric]) -> dict[str, float]:
    """Mean and standard deviation of each metric over the seeds of a model, on the test split; see `summarize`.

    Args:
        folder: has the predictions of the model.

    Returns:
        The figures; none if the task had no test split when the predictions were made.

    Raises:
        UserError: the predictions are damaged.
    """
    path = folder / TEST_PREDICTIONS
    if not path.is_file():
        return {}
    labels, outputs = read_predictions(path)
    return summarize([measure_outputs({"test": logits}, {"test": labels}, metrics) for logits in outputs.values()])
