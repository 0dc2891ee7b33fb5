"""Linear models on fixed features: logistic regression for classes, ridge regression for a scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

Features = Any
"""Features of texts [rows, features]: an array, or a sparse matrix of SciPy, which has no types."""
Texts = tuple[Sequence[str], Sequence[str] | None]
"""Sentences; for pairs, also the second sentences."""
FP32 = 4  # bytes of a weight
FOLDS = 3
CHOICE_ROWS = 20_000  # training rows by which the strength is chosen; more rows hardly change the choice
ITERATIONS = 1000
FLOOR = 1e-9  # the smallest probability of a class, so that logits are finite


@dataclass(frozen=True)
class LinearModel:
    """A fitted model of scikit-learn."""

    estimator: Any
    classes: int | None
    """Number of classes; None for a scale."""
    strength: float | None
    """The inverse of the regularisation; None for a constant model."""

    def outputs(self, features: Features) -> NDArray[np.float32]:
        """Logits [rows, classes], or predicted numbers [rows, 1] for a scale."""
        if self.classes is None:
            return np.asarray(self.estimator.predict(features), np.float32).reshape(-1, 1)
        logits: NDArray[np.float32] = np.log(self._probabilities(features)).astype(np.float32)
        return logits

    def loss(self, features: Features, labels: NDArray[Any]) -> float:
        """The mean loss on other rows: cross-entropy, or the squared error for a scale."""
        if self.classes is None:
            return float(((self.outputs(features)[:, 0] - labels) ** 2).mean())
        return float(log_loss(labels, self._probabilities(features), labels=range(self.classes)))

    @property
    def weights(self) -> int:
        """Number of weights and biases."""
        model = self.estimator
        return int(np.size(model.coef_) + np.size(model.intercept_)) if hasattr(model, "coef_") else 1

    def _probabilities(self, features: Features) -> NDArray[np.float64]:
        """The probability of each class [rows, classes]; a class without training data has a tiny one."""
        known = self.estimator.predict_proba(features)
        probabilities = np.zeros((len(known), self.classes or 0))
        probabilities[:, self.estimator.classes_] = known
        floored = probabilities.clip(FLOOR)
        normalised: NDArray[np.float64] = floored / floored.sum(1, keepdims=True)
        return normalised


def fit_constant(labels: NDArray[Any], classes: int | None) -> LinearModel:
    """A model that always answers the commonest class, or the mean label of a scale (`classes` is None)."""
    estimator = DummyRegressor(strategy="mean") if classes is None else DummyClassifier(strategy="prior")
    return LinearModel(estimator.fit(np.zeros((len(labels), 1)), labels), classes, None)


def fit_linear(
    features: Features, labels: NDArray[Any], classes: int | None, strengths: Sequence[float]
) -> LinearModel:
    """Fit a linear model with the strength of the lowest loss in cross-validation on the same rows.

    There is no randomness: each fold has every third row.

    Args:
        labels: class indices, or numbers for a scale, for which `classes` is None.
        strengths: inverses of the regularisation to try (`C` in scikit-learn; 1 / `alpha` for a ridge).
    """
    rows = np.arange(0, len(labels), -(-len(labels) // CHOICE_ROWS))
    parts = [rows[part::FOLDS] for part in range(FOLDS)]

    def held_out_loss(strength: float) -> float:
        losses = []
        for part in parts:
            others = np.setdiff1d(rows, part)
            model = _fit(features[others], labels[others], classes, strength)
            losses.append(model.loss(features[part], labels[part]))
        return float(np.mean(losses))

    best = min(strengths, key=held_out_loss) if len(rows) >= FOLDS else strengths[0]
    return _fit(features, labels, classes, best)


def _fit(features: Features, labels: NDArray[Any], classes: int | None, strength: float) -> LinearModel:
    if classes is None:
        return LinearModel(Ridge(alpha=1 / strength).fit(features, labels), classes, strength)
    if len(np.unique(labels)) == 1:  # of these rows; logistic regression needs two classes
        return fit_constant(labels, classes)
    model = LogisticRegression(C=strength, max_iter=ITERATIONS)
    return LinearModel(model.fit(features, labels), classes, strength)
