"""How good a classifier's outputs are: the metrics of GLUE, from scikit-learn and SciPy; all from -1 or 0 to 1."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ConstantInputWarning, pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from textbook.params import Metric
from textbook.training.device import Device
from textbook.training.finetune import Labelled, predict

STANDARD_ERROR = "standard_error"
RESAMPLES = 200  # enough to know a standard error to a twentieth


def score(metrics: Sequence[Metric], labels: NDArray[Any], outputs: NDArray[np.float32]) -> dict[str, float]:
    """Each of `metrics`, in that order.

    Args:
        labels: classes, or numbers on a scale [rows].
        outputs: of a classifier: logits [rows, classes], or numbers [rows, 1].
    """
    predicted = outputs[:, 0] if np.issubdtype(labels.dtype, np.floating) else outputs.argmax(1)
    return {metric: float(_METRICS[metric](labels, predicted)) for metric in metrics}


def standard_error(metric: Metric, labels: NDArray[Any], outputs: NDArray[np.float32]) -> float:
    """How far a metric may be off because it is known on these rows only: its spread over bootstrap samples of them."""
    draws = np.random.default_rng(0).integers(0, len(labels), (RESAMPLES, len(labels)))
    return stdev(score([metric], labels[rows], outputs[rows])[metric] for rows in draws)


def measure(
    model: torch.nn.Module,
    splits: Mapping[str, Labelled],
    metrics: Sequence[Metric],
    *,
    pad_id: int,
    device: Device,
) -> dict[str, float]:
    """Each of `metrics` on each split: of the first split as `accuracy`, of a further one as `accuracy_<split>`.

    Besides, `standard_error`: that of the first metric on the first split.
    """
    outputs = {
        split: predict(model, labelled.tokens, pad_id=pad_id, device=device) for split, labelled in splits.items()
    }
    figures: dict[str, float] = {}
    for number, (split, labelled) in enumerate(splits.items()):
        found = score(metrics, labelled.labels, outputs[split])
        figures |= {f"{metric}_{split}" if number else metric: value for metric, value in found.items()}
    first = next(iter(splits))
    return {**figures, STANDARD_ERROR: standard_error(metrics[0], splits[first].labels, outputs[first])}


def summarize(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean and standard deviation over runs, in percent, of each figure, and as `score` of the one that decides.

    Standard errors are averaged only: seeds share their validation data, so more of them make no error smaller.
    """
    values = {name: [100 * run[name] for run in runs] for name in runs[0]}
    values = {"score": next(iter(values.values())), **values}
    figures = {}
    for name, found in values.items():
        figures[name] = round(mean(found), 2)
        if name != STANDARD_ERROR:
            figures[f"{name}_std"] = round(stdev(found), 2) if len(found) > 1 else 0.0
    return {**figures, "seeds": len(runs)}


def _correlation(statistic: Callable[..., Any]) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """A correlation that is 0 where one side is constant: there it is not defined, and nothing was learnt."""

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
