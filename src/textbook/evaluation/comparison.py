"""Paired comparison of one model with others, from their predictions on the same rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textbook.errors import UserError
from textbook.evaluation.paired import holm, paired_difference
from textbook.evaluation.predictions import read_predictions
from textbook.evaluation.resampling import Resampled, draw_rows, resample
from textbook.params import Metric

REQUIRED = ("majority", "scratch", "tfidf")
"""What a student must beat to be worth it, by name: the cheapest things to do instead."""


def compare_with_others(metric: Metric, path: Path, others: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """The score of a model minus that of each other one, in points.

    Args:
        path: the predictions of the model.
        others: the predictions of the other models, by name.

    Returns:
        For each name the difference `value`, its standard `error`, the 95 % confidence interval from `low` to `high`,
        the p-value `p`, and `p_holm`, which is corrected for the number of models.

    Raises:
        UserError: a file is damaged, or two files have the labels of different data.
    """
    labels, outputs = read_predictions(path)
    weights = draw_rows(len(labels))
    model = resample(metric, labels, outputs, weights)

    def resampled(other: Path) -> Resampled:
        other_labels, other_outputs = read_predictions(other)
        if not np.array_equal(labels, other_labels):
            raise UserError(f"{other}: has other labels than {path}; run `dvc repro` to make both from the same data")
        return resample(metric, labels, other_outputs, weights)

    differences = {name: paired_difference(model, resampled(other)) for name, other in others.items()}
    corrected = holm([difference.p for difference in differences.values()])
    figures = {}
    for (name, difference), p_holm in zip(differences.items(), corrected, strict=True):
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


def not_beaten(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which of `REQUIRED` the student does not beat by more than the standard error of the paired difference.

    Args:
        figures: the output of the stage `evaluate`, by name of the model. A model that was not compared with the
            student, in a file of an older version, is left out.
    """
    leads = {name: figures[name]["paired"] for name in REQUIRED if "paired" in figures.get(name, {})}
    return [name for name, lead in leads.items() if not lead["value"] > lead["error"]]
