"""Paired differences: their intervals cover the truth as often as they say."""

import numpy as np
import pytest

from textbook.evaluation.paired import Difference, holm, paired_difference, pooled_difference
from textbook.evaluation.resampling import Resampled, draw_rows, resample

TRIALS = 1000
ROWS = 200


def simulate(rng: np.random.Generator, seeds: int, lead: float, seed_effect: float) -> tuple[Resampled, Resampled]:
    """Two models whose answers depend on how hard a row is, on the seed, and on both.

    Args:
        lead: how much better the first model is.
        seed_effect: the standard deviation of how good a model is, over its seeds.
    """
    hardness = rng.normal(size=ROWS)
    weights = draw_rows(ROWS, draws=200, seed=int(rng.integers(2**32)))
    models = []
    for ability in (0.8 + lead, 0.8):
        margins = [
            ability + rng.normal(scale=seed_effect) - hardness + rng.normal(scale=0.7, size=ROWS) for _ in range(seeds)
        ]
        outputs = [np.stack([np.zeros(ROWS), margin], axis=1).astype(np.float32) for margin in margins]
        models.append(resample("accuracy", np.ones(ROWS, int), outputs, weights))
    return models[0], models[1]


def true_difference(lead: float, seed_effect: float) -> float:
    """The expected difference: accuracy is the probability that a normal variable is positive."""
    rng = np.random.default_rng(1)
    noise = rng.normal(scale=np.sqrt(1 + 0.7**2 + seed_effect**2), size=4_000_000)
    return float((0.8 + lead + noise > 0).mean() - (0.8 + noise > 0).mean())


@pytest.mark.parametrize(
    ("seeds", "lead", "seed_effect"), [(1, 0.1, 0.0), (2, 0.0, 0.05), (3, 0.2, 0.1), (5, 0.1, 0.2)]
)
def test_intervals_cover_the_truth_in_95_percent_of_all_trials(seeds: int, lead: float, seed_effect: float) -> None:
    rng = np.random.default_rng(seeds)
    truth = true_difference(lead, seed_effect)
    covered = 0
    for _ in range(TRIALS):
        low, high = paired_difference(*simulate(rng, seeds, lead, seed_effect)).interval
        covered += low <= truth <= high
    assert 0.93 * TRIALS <= covered <= 0.97 * TRIALS


def test_an_interval_is_never_wider_than_the_few_seeds_make_it() -> None:
    """Where nearly all of the variance between seeds is due to the rows, too."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        difference = paired_difference(*simulate(rng, 2, 0.1, 0.0))
        assert difference.freedom >= 2
        assert np.ptp(difference.interval) < 1  # the whole scale of accuracy


def test_a_paired_error_is_smaller_than_that_of_independent_scores() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = simulate(rng, 2, 0.1, 0.0)
        independent = np.sqrt(sum(np.var(model.draws.mean(1), ddof=1) for model in (first, second)))
        assert paired_difference(first, second).error < 0.9 * independent


def test_a_model_does_not_differ_from_itself() -> None:
    model, _ = simulate(np.random.default_rng(0), 1, 0.1, 0.0)
    difference = paired_difference(model, model)
    assert (difference.value, difference.interval, difference.p) == (0, (0, 0), 1)


def test_pooling_tasks_narrows_the_interval() -> None:
    one = Difference(2.0, 1.0, 100.0)
    pooled = pooled_difference([one, one, one, one])
    assert (pooled.value, pooled.error) == (2.0, 0.5)
    assert pooled.p < one.p


def test_few_seeds_widen_the_interval() -> None:
    assert Difference(1, 1, 1).interval[1] > Difference(1, 1, 1000).interval[1]


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.5], [0.5]), ([0.9, 0.8], [1.0, 1.0]), ([], [])],
)
def test_holms_correction(p_values: list[float], corrected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)
