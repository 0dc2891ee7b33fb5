"""Paired comparison of models, from their predictions on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.evaluation.paired import Difference, holm, paired_difference
from textbook.evaluation.predictions import read_predictions
from textbook.evaluation.resampling import draw_rows, resample

if TYPE_CHECKING:
    from textbook.params import Metric

REQUIRED = ("majority", "scratch", "tfidf")
"""What a student must beat to be worth it, by name: the cheapest things to do instead."""


def compare_with_others(
    metric: Metric, path: Path, others: Mapping[str, Path], *, seed: int | None = None
) -> dict[str, dict[str, float]]:
    """The score of a model minus that of each other one, in points.

    Args:
        path: the predictions of the model.
        others: the predictions of the other models, by name.
        seed: compare only this seed of the model, for others that were made from it.

    Returns:
        For each name the difference `value`, its standard `error`, the 95 % confidence interval from `low` to `high`,
        the p-value `p`, and `p_holm`, which is corrected for the number of models.

    Raises:
        UserError: a file is damaged, or two files have the labels of different data.
    """
    labels, outputs = read_predictions(path)
    mine = list(outputs.values()) if seed is None else [outputs[seed]]
    weights = draw_rows(len(labels))
    first = resample(metric, labels, mine, weights)
    found = {
        name: paired_difference(first, resample(metric, labels, _outputs([other], labels, path), weights))
        for name, other in others.items()
    }
    corrected = holm([difference.p for difference in found.values()])
    figures = {}
    for (name, difference), p_holm in zip(found.items(), corrected, strict=True):
        figures[name] = {**in_points(difference, 2), "p_holm": float(f"{p_holm:.3g}")}
    return figures


def in_points(difference: Difference, digits: int) -> dict[str, float]:
    """The `value` of a difference in points, its standard `error`, its interval from `low` to `high`, and its `p`."""
    low, high = difference.interval
    figures = {"value": difference.value, "error": difference.error, "low": low, "high": high}
    return {**{name: round(100 * value, digits) for name, value in figures.items()}, "p": float(f"{difference.p:.3g}")}


def differences(metric: Metric, models: Sequence[Sequence[Path]]) -> dict[tuple[int, int], Difference]:
    """The paired differences between all models, earlier minus later.

    Args:
        models: for each model one or more files of predictions, whose seeds are taken together.

    Returns:
        The difference for each pair of places in `models`.

    Raises:
        UserError: a file is damaged, or two files have the labels of different data.
    """
    first = models[0][0]
    labels, _ = read_predictions(first)
    weights = draw_rows(len(labels))
    resampled = [resample(metric, labels, _outputs(paths, labels, first), weights) for paths in models]
    pairs = combinations(range(len(models)), 2)
    return {(one, other): paired_difference(resampled[one], resampled[other]) for one, other in pairs}


def _outputs(paths: Sequence[Path], labels: NDArray[Any], first: Path) -> list[NDArray[np.float32]]:
    """The outputs of all seeds in some files, whose labels must be those of the file `first`."""
    outputs: list[NDArray[np.float32]] = []
    for path in paths:
        others, seeds = read_predictions(path)
        if not np.array_equal(labels, others):
            raise UserError(f"{path}: has other labels than {first}; run `dvc repro` to make both from the same data")
        outputs += seeds.values()
    return outputs


def not_beaten(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which of `REQUIRED` the student does not beat by more than the standard error of the paired difference.

    Args:
        figures: the output of the stage `evaluate`, by name of the model. A model that was not compared with the
            student, in a file of an older version, is left out.
    """
    leads = {name: figures[name]["paired"] for name in REQUIRED if "paired" in figures.get(name, {})}
    return [name for name, lead in leads.items() if not lead["value"] > lead["error"]]
