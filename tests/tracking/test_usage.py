"""Time, tokens and cost from a history."""

import pytest

from tracking.usage import costs, training_seconds, training_tokens


def history(*lines):
    return [{"step": step, "time": 1_000 * second, "tokens_per_second": speed} for step, second, speed in lines]


def test_the_first_interval_is_estimated_from_the_others():
    lines = history((10, 100, 50), (20, 104, 50), (30, 108, 100))
    assert training_seconds(lines) == 12
    assert training_tokens(lines) == 4 * 50 + 4 * 50 + 4 * 100


def test_a_pause_does_not_count():
    lines = history((10, 100, 50), (20, 104, 50), (30, 10_000, 50), (40, 10_004, 50))
    assert training_seconds(lines) == 16


def test_a_history_without_an_interval_takes_no_time():
    assert training_seconds([]) == training_seconds(history((10, 100, 50))) == 0


def test_costs():
    assert costs(1800, 5_000, devices=4, cost_per_hour=2.5) == {
        "cost/seconds": 1800,
        "cost/tokens": 5_000,
        "cost/device_hours": 2,
        "cost/estimate": pytest.approx(5),
    }


def test_a_clock_that_was_set_back_costs_nothing():
    lines = history((10, 7200, 50), (20, 7204, 50), (30, 3604, 50), (40, 3608, 50), (50, 3608, 50))
    assert training_seconds(lines) == 20
    assert training_tokens(lines) == 20 * 50
    assert training_seconds(history((10, 7200, 50), (20, 3600, 50))) == 0
