"""Paired comparison of models, from their predictions on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
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
    names = list(others)
    models = [[path], *([other] for other in others.values())]
    against = differences(metric, models, with_first_only=True, first_seed=seed)
    found = {name: against[0, number] for number, name in enumerate(names, 1)}
    corrected = holm([difference.p for difference in found.values()])
    figures = {}
    for (name, difference), p_holm in zip(found.items(), corrected, strict=True):
        low, high = difference.interval
        figures[name] = {
            "value": round(100 * difference.value, 2),
            "error": round(100 * difference.error, 2),
            "low": round(100 * low, 2),
            "high": round(100 * high, 2),
            "p": float(f"{difference.p:.3g}"),
            "p_holm": float(f"{p_holm:.3g}"),
        }
    return figures


def differences(
    metric: Metric, models: Sequence[Sequence[Path]], *, with_first_only: bool = False, first_seed: int | None = None
) -> dict[tuple[int, int], Difference]:
    """The paired differences between models, earlier minus later.

    Args:
        models: for each model one or more files of predictions, whose seeds are taken together.
        with_first_only: compare the first model with each other one, instead of all with all.
        first_seed: take only this seed of the first model.

    Returns:
        The difference for each pair of places in `models`.

    Raises:
        UserError: a file is damaged, or two files have the labels of different data.
    """
    first = models[0][0]
    labels, _ = read_predictions(first)
    weights = draw_rows(len(labels))
    resampled = []
    for paths in models:
        outputs: list[NDArray[np.float32]] = []
        for path in paths:
            others, seeds = read_predictions(path)
            if not np.array_equal(labels, others):
                raise UserError(
                    f"{path}: has other labels than {first}; run `dvc repro` to make both from the same data"
                )
            if path == first and first_seed is not None:
                names = list(dict.fromkeys(pq.read_table(path, columns=["seed"])["seed"].to_pylist()))
                seeds = [seeds[names.index(first_seed)]]
            outputs += seeds
        resampled.append(resample(metric, labels, outputs, weights))
    pairs = ((0, other) for other in range(1, len(models))) if with_first_only else combinations(range(len(models)), 2)
    return {(one, other): paired_difference(resampled[one], resampled[other]) for one, other in pairs}


def not_beaten(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which of `REQUIRED` the student does not beat by more than the standard error of the paired difference.

    Args:
        figures: the output of the stage `evaluate`, by name of the model. A model that was not compared with the
            student, in a file of an older version, is left out.
    """
    leads = {name: figures[name]["paired"] for name in REQUIRED if "paired" in figures.get(name, {})}
    return [name for name, lead in leads.items() if not lead["value"] > lead["error"]]
