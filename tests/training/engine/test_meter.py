import time

import numpy as np
import pytest
import torch

from textbook.training.engine.meter import Meter


def test_figures_cover_the_time_since_the_last_reading():
    meter = Meter(lambda lengths: float(10 * lengths.sum()), peak=1e6)
    for _ in range(2):
        for loss in (1.0, 3.0):
            meter.count(torch.tensor(loss), np.array([5, 7]))
        with meter.waiting():
            time.sleep(0.02)
        figures = meter.read()
        assert figures["loss"] == 2
        seconds = 24 / figures["tokens_per_second"]
        assert figures["share_of_peak"] == pytest.approx(240 / seconds / 1e6)
        assert 0.02 / seconds <= figures["waiting"] <= 1


def test_not_finite_returns_the_index_of_the_first_such_loss():
    meter = Meter(lambda lengths: 0.0, peak=1.0)
    indices = []
    for loss in (1.0, torch.inf, torch.nan):
        meter.count(torch.tensor(loss), np.array([3]))
        indices.append(meter.not_finite())
    assert indices == [None, 1, 1]
