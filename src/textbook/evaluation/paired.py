"""Paired differences between models: their errors, confidence intervals and p-values.

The error has two parts. The validation rows are a sample, which both models share; its part is the standard deviation
of the difference over common draws of rows. The seeds of training are a sample too, which the models do not share; its
part is the variance of the scores between seeds. Scores of different seeds also differ because of the rows. That is in
the first part already, so it is taken off the second one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy.stats import t as student_t

from textbook.evaluation.resampling import Resampled

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """The difference between two mean scores, first minus second."""

    value: float
    error: float
    """The standard error."""
    freedom: float
    """The degrees of freedom of the error [Welch 1947]: few if it comes mostly from few seeds."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval."""
        width = self.error * float(student_t.ppf((1 + LEVEL) / 2, self.freedom))
        return self.value - width, self.value + width

    @property
    def p(self) -> float:
        """The p-value of the hypothesis that there is no difference."""
        if self.error == 0:
            return float(self.value == 0)
        return float(2 * student_t.sf(abs(self.value) / self.error, self.freedom))


def paired_difference(first: Resampled, second: Resampled) -> Difference:
    """The difference between two models that were resampled with the same draws of rows.

    The seeds of both models are taken to vary alike, because few seeds tell little about their variance. With a single
    seed each, the error is that of the rows only.
    """
    of_rows = float(np.var(first.draws.mean(1) - second.draws.mean(1), ddof=1))
    freedom = sum(len(model.scores) - 1 for model in (first, second))
    if not freedom:
        return Difference(first.mean - second.mean, sqrt(of_rows), inf)
    between, by_rows = (sum(parts) / freedom for parts in zip(_sums(first), _sums(second), strict=True))
    each = 1 / len(first.scores) + 1 / len(second.scores)
    of_seeds = max(0.0, between - by_rows) * each
    total = of_rows + of_seeds
    # The variance between seeds is as uncertain as before `by_rows` was taken off it. Of a small rest, that would leave
    # less than one degree of freedom, and intervals of millions of points; there are never fewer than those of seeds.
    welch = total**2 * freedom / (between * each) ** 2 if of_seeds else inf
    return Difference(first.mean - second.mean, sqrt(total), max(freedom, welch))


def pooled_difference(differences: Sequence[Difference]) -> Difference:
    """The mean of differences on several tasks, whose rows and seeds are independent."""
    count = len(differences)
    variances = [difference.error**2 / count**2 for difference in differences]
    terms = sum(variance**2 / difference.freedom for variance, difference in zip(variances, differences, strict=True))
    total = sum(variances)
    value = sum(difference.value for difference in differences) / count
    return Difference(value, sqrt(total), total**2 / terms if terms else inf)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values that are corrected for the number of comparisons [Holm 1979], in the order of the input."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _sums(model: Resampled) -> tuple[float, float]:
    """The sum of squared deviations of the seeds' scores from their mean, and how much of it is due to the rows."""
    deviations = model.draws - model.draws.mean(1, keepdims=True)
    by_rows = float(np.var(deviations, axis=0, ddof=1).sum())
    return float(((model.scores - model.mean) ** 2).sum()), by_rows
