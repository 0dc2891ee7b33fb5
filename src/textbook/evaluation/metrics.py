"""Metrics of GLUE, computed by scikit-learn and SciPy from a classifier's outputs. All range from -1 or 0 to 1."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ConstantInputWarning, pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from transformers import PreTrainedTokenizerBase

from textbook.evaluation.predictions import splits_to_predict
from textbook.tasks.splits import validation_splits
from textbook.training.engine.device import Device
from textbook.training.finetuning.labelled import Labelled, read_labelled
from textbook.training.finetuning.predict import Measure, predict

if TYPE_CHECKING:
    from textbook.params import Metric

STANDARD_ERROR = "standard_error"
RESAMPLES = 200  # enough to estimate a standard error to within 5%


def score(metrics: Sequence[Metric], labels: NDArray[Any], outputs: NDArray[np.float32]) -> dict[str, float]:
    """The values of `metrics`, in this order.

    Args:
        labels: class indices, or numbers for regression [rows].
        outputs: a classifier's logits [rows, classes], or predicted numbers [rows, 1] for regression.
    """
    predicted = outputs[:, 0] if np.issubdtype(labels.dtype, np.floating) else outputs.argmax(1)
    return {metric: float(_METRICS[metric](labels, predicted)) for metric in metrics}


def standard_error(metric: Metric, labels: NDArray[Any], outputs: NDArray[np.float32]) -> float:
    """The standard error of a metric due to the finite number of rows, estimated by bootstrap over the rows."""
    draws = np.random.default_rng(0).integers(0, len(labels), (RESAMPLES, len(labels)))
    return stdev(score([metric], labels[rows], outputs[rows])[metric] for rows in draws)


def measure_classifier(
    model: torch.nn.Module,
    splits: Mapping[str, Labelled],
    metrics: Sequence[Metric],
    *,
    pad_id: int,
    device: Device,
) -> dict[str, float]:
    """Measure a classifier on all splits; see `measure_outputs`."""
    outputs = {
        split: predict(model, labelled.tokens, pad_id=pad_id, device=device) for split, labelled in splits.items()
    }
    return measure_outputs(outputs, {split: labelled.labels for split, labelled in splits.items()}, metrics)


def measure_outputs(
    outputs: Mapping[str, NDArray[np.float32]], labels: Mapping[str, NDArray[Any]], metrics: Sequence[Metric]
) -> dict[str, float]:
    """Measure a classifier's outputs on all splits.

    A metric on the first split is named like the metric, on other splits it is named `<metric>_<split>`.
    `standard_error` belongs to the first metric on the first split.
    """
    figures: dict[str, float] = {}
    for number, split in enumerate(labels):
        scores = score(metrics, labels[split], outputs[split])
        figures |= {f"{metric}_{split}" if number else metric: value for metric, value in scores.items()}
    first = next(iter(labels))
    return {**figures, STANDARD_ERROR: standard_error(metrics[0], labels[first], outputs[first])}


def read_validation(folder: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, Labelled]:
    """All validation splits of the prepared task in a folder, by name."""
    return {name: read_labelled(folder, name, tokenizer, max_length) for name in validation_splits(folder)}


def read_predicted(
    folder: Path, tokenizer: PreTrainedTokenizerBase, max_length: int, validation: Mapping[str, Labelled]
) -> dict[str, Labelled]:
    """What every model predicts of the prepared task in a folder, by the name of the file with its predictions.

    Args:
        validation: the validation splits, already read.
    """
    return {
        name: validation.get(split) or read_labelled(folder, split, tokenizer, max_length)
        for name, split in splits_to_predict(folder).items()
    }


def measure_on_validation(
    folder: Path, metrics: Sequence[Metric], tokenizer: PreTrainedTokenizerBase, max_length: int, device: Device
) -> Measure:
    """A function that returns a model's metrics on all validation splits of a prepared task.

    Args:
        folder: the folder of the prepared task.
    """
    splits = read_validation(folder, tokenizer, max_length)
    return partial(measure_classifier, splits=splits, metrics=metrics, pad_id=tokenizer.pad_token_id, device=device)


def summarize(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean and standard deviation of each metric over runs, in percent; `score` is the deciding metric, the first one.

    Standard errors are only averaged: all seeds share their validation data, so more seeds do not reduce the error.
    """
    values = {name: [100 * run[name] for run in runs] for name in runs[0]}
    values = {"score": next(iter(values.values())), **values}
    figures = {}
    for name, percents in values.items():
        figures[name] = round(mean(percents), 2)
        if name != STANDARD_ERROR:
            figures[f"{name}_std"] = round(stdev(percents), 2) if len(percents) > 1 else 0.0
    return {**figures, "seeds": len(runs)}


def _correlation(statistic: Callable[..., Any]) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """A correlation that is 0 instead of undefined if one side is constant: such a model has learned nothing."""

    def correlation(labels: NDArray[Any], predicted: NDArray[Any]) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantInputWarning)
            return float(np.nan_to_num(statistic(labels, predicted).statistic))

    return correlation


_METRICS: dict[Metric, Callable[[NDArray[Any], NDArray[Any]], float]] = {
    "accuracy": accuracy_score,
    "f1": lambda labels, predicted: f1_score(labels, predicted, zero_division=0.0),
    "macro_f1": lambda labels, predicted: f1_score(labels, predicted, average="macro", zero_division=0.0),
    "matthews": matthews_corrcoef,
    "pearson": _correlation(pearsonr),
    "spearman": _correlation(spearmanr),
}
