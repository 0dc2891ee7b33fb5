"""Metrics of resampled validation rows, for errors of scores and of differences between scores.

All models of a task are resampled with the same draws of rows. The difference between two models in one draw is then a
paired difference: what makes a row easy or hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

if TYPE_CHECKING:
    from textbook.params import Metric

DRAWS = 1000  # enough to estimate a standard error to within 2.5 %

Floats = NDArray[np.float64]
Weights = Floats
"""How often each row occurs in each draw [draws, rows]."""


@dataclass(frozen=True)
class Resampled:
    """The scores of one model, trained with several seeds, on all rows and on each draw of rows."""

    scores: Floats
    """The score of each seed on all rows [seeds]."""
    draws: Floats
    """The score of each seed on each draw of rows [draws, seeds]."""

    @property
    def mean(self) -> float:
        """The mean score over the seeds."""
        return float(self.scores.mean())


def draw_rows(rows: int, draws: int = DRAWS, seed: int = 0) -> Weights:
    """Draws of `rows` rows with replacement. They depend on the number of rows and on the seed only."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(rows, np.full(rows, 1 / rows), size=draws).astype(np.float64)


def resample(
    metric: Metric, labels: NDArray[np.generic], outputs: Sequence[NDArray[np.float32]], weights: Weights
) -> Resampled:
    """Score a model on all rows and on each draw.

    Args:
        labels: class indices, or numbers for regression [rows].
        outputs: for each seed, logits [rows, classes], or predicted numbers [rows, 1] for regression.
        weights: the draws, which must be the same for all models that are compared.
    """
    all_rows = np.ones((1, len(labels)))
    both = np.vstack([all_rows, weights])
    columns = [_score(metric, np.asarray(labels), np.asarray(output), both) for output in outputs]
    scores = np.stack(columns, axis=1)
    return Resampled(scores[0], scores[1:])


def _score(metric: Metric, labels: NDArray[np.generic], output: NDArray[np.float32], weights: Weights) -> Floats:
    """The metric of each draw [draws]."""
    if metric == "pearson":
        return _pearson(labels.astype(np.float64), output[:, 0].astype(np.float64), weights)
    if metric == "spearman":
        return _spearman(labels.astype(np.float64), output[:, 0].astype(np.float64), weights)
    classes = output.shape[1]
    cells = labels.astype(np.int64) * classes + output.argmax(1)
    table = weights @ np.eye(classes * classes)[cells]
    return _OF_CONFUSION[metric](table.reshape(-1, classes, classes))


def _accuracy(confusion: Floats) -> Floats:
    correct: Floats = np.trace(confusion, axis1=1, axis2=2) / confusion.sum((1, 2))
    return correct


def _f1_by_class(confusion: Floats) -> Floats:
    """The F1 of each class [draws, classes]; 0 for a class that is neither a label nor predicted."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    total = confusion.sum(1) + confusion.sum(2)
    return _ratio(2 * hits, total)


def _macro_f1(confusion: Floats) -> Floats:
    """The mean F1 of the classes that are labels or predicted, as in scikit-learn."""
    present = (confusion.sum(1) + confusion.sum(2)) > 0
    mean: Floats = _f1_by_class(confusion).sum(1) / present.sum(1)
    return mean


def _matthews(confusion: Floats) -> Floats:
    """Gorodkin's correlation [Gorodkin 2004], which is that of Matthews for two classes."""
    total = confusion.sum((1, 2))
    correct = np.trace(confusion, axis1=1, axis2=2)
    labels, predicted = confusion.sum(2), confusion.sum(1)
    covariance = correct * total - (labels * predicted).sum(1)
    variances = (total**2 - (labels**2).sum(1)) * (total**2 - (predicted**2).sum(1))
    return _ratio(covariance, np.sqrt(variances))


def _pearson(labels: Floats, predicted: Floats, weights: Weights) -> Floats:
    """The correlation of each draw; 0 if one side is constant."""
    labels, predicted = labels - labels.mean(), predicted - predicted.mean()  # for the precision of the sums
    total = weights.sum(1)
    x, y = weights @ labels / total, weights @ predicted / total
    xx, yy = weights @ labels**2 / total - x**2, weights @ predicted**2 / total - y**2
    xy = weights @ (labels * predicted) / total - x * y
    valid = (xx > 1e-12) & (yy > 1e-12)
    return _ratio(xy, np.sqrt(np.where(valid, xx * yy, 0)))


def _spearman(labels: Floats, predicted: Floats, weights: Weights) -> Floats:
    """The rank correlation of each draw, ranked anew."""
    scores = []
    for counts in weights.astype(np.int64):
        rows = np.repeat(np.arange(len(labels)), counts)
        ranks = rankdata(labels[rows]), rankdata(predicted[rows])
        scores.append(_pearson(*ranks, np.ones((1, len(rows))))[0])
    return np.array(scores)


def _ratio(value: Floats, divisor: Floats) -> Floats:
    """A quotient; 0 where the divisor is 0."""
    ratio: Floats = np.divide(value, divisor, out=np.zeros_like(value), where=divisor > 0)
    return ratio


_OF_CONFUSION: dict[Metric, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy,
    "f1": lambda confusion: _f1_by_class(confusion)[:, 1],
    "macro_f1": _macro_f1,
    "matthews": _matthews,
}
