"""Linear models: the strength is chosen on the training data, and every class has an output."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from textbook.baselines.linear import fit_constant, fit_linear

STRENGTHS = (1e-4, 0.01, 1.0, 100.0)
X = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize(("noise", "chosen"), [(0.0, 100.0), (1000.0, 1e-4)])
def test_the_strength_suits_the_noise(form, noise, chosen):
    margin = X[:, 0] + noise * np.random.default_rng(1).normal(size=300)
    assert fit_linear(form(X), (margin > 0).astype(int), 2, STRENGTHS).strength == chosen
    assert fit_linear(form(X), margin.astype(np.float32), None, STRENGTHS).strength == chosen


def test_a_scale_is_predicted():
    model = fit_linear(X, (2 * X[:, 3] + 1).astype(np.float32), None, STRENGTHS)
    outputs = model.outputs(X)
    assert outputs.shape == (300, 1)
    assert outputs.dtype == np.float32
    assert np.corrcoef(outputs[:, 0], X[:, 3])[0, 1] > 0.99
    assert model.weights == 21


def test_classes_are_predicted_and_logits_are_log_probabilities():
    labels = np.argmax(X[:, :3], axis=1)
    model = fit_linear(X, labels, 3, STRENGTHS)
    outputs = model.outputs(X)
    assert (outputs.argmax(1) == labels).mean() > 0.95
    assert np.exp(outputs).sum(1) == pytest.approx(1, abs=1e-5)
    assert model.weights == 3 * 21


@pytest.mark.parametrize("known", [[0, 2], [2]])
def test_a_class_without_training_rows_is_never_the_answer(known):
    labels = np.array(known)[(X[:, 0] > 0).astype(int) % len(known)]
    outputs = fit_linear(X, labels, 4, STRENGTHS).outputs(X)
    assert outputs.shape == (300, 4)
    assert np.isfinite(outputs).all()
    assert set(outputs.argmax(1)) == set(known)


def test_a_class_with_a_single_row_and_very_few_rows_are_fitted():
    labels = np.zeros(300, int)
    labels[17] = 1
    assert fit_linear(X, labels, 2, STRENGTHS).outputs(X).argmax(1).sum() <= 1
    assert fit_linear(X[:2], np.array([1, 0]), 2, STRENGTHS).outputs(X[:2]).argmax(1).tolist() == [1, 0]


def test_it_is_the_same_at_every_run():
    labels = (X[:, 0] > 0.1).astype(int)
    assert np.array_equal(*(fit_linear(X, labels, 2, STRENGTHS).outputs(X) for _ in range(2)))


def test_the_constant_is_the_commonest_class_or_the_mean():
    assert fit_constant(np.array([2, 0, 2, 1]), 3).outputs(X[:2]).argmax(1).tolist() == [2, 2]
    assert fit_constant(np.array([1.0, 2.0, 6.0], np.float32), None).outputs(X[:2]).tolist() == [[3.0], [3.0]]
