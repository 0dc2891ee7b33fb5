"""Metrics of resampled rows, against scikit-learn and SciPy on the rows of each draw."""

import numpy as np
import pytest

from textbook.evaluation.metrics import score
from textbook.evaluation.resampling import draw_rows, resample
from textbook.params import Metric


@pytest.mark.parametrize("metric", ["accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman"])
def test_each_draw_has_the_metric_of_its_rows(metric: Metric) -> None:
    rng = np.random.default_rng(0)
    regression = metric in ("pearson", "spearman")
    classes = 1 if regression else 2 if metric == "f1" else 3
    labels = rng.normal(size=40).round(1) if regression else rng.integers(0, classes, 40)
    outputs = [rng.normal(size=(40, classes)).astype(np.float32) for _ in range(2)]
    weights = draw_rows(40, draws=20)
    resampled = resample(metric, labels, outputs, weights)
    for seed, output in enumerate(outputs):
        assert resampled.scores[seed] == pytest.approx(score([metric], labels, output)[metric])
        for draw, counts in enumerate(weights.astype(int)):
            rows = np.repeat(np.arange(40), counts)
            expected = score([metric], labels[rows], output[rows])[metric]
            assert resampled.draws[draw, seed] == pytest.approx(expected)


def test_a_model_that_answers_one_class_has_no_correlation() -> None:
    labels, outputs = np.array([0, 1, 1]), [np.array([[1, 0]] * 3, np.float32)]
    assert resample("matthews", labels, outputs, draw_rows(3)).mean == 0


def test_draws_are_the_same_for_all_models() -> None:
    np.testing.assert_array_equal(draw_rows(30), draw_rows(30))
    assert (draw_rows(30).sum(1) == 30).all()
