import time

import pytest

from textbook.training.engine.meter import Meter


def test_figures_cover_the_time_since_the_last_reading():
    meter = Meter(peak=1e6)
    for _ in range(2):
        for _ in range(2):
            meter.count(12, 120.0)
        with meter.waiting():
            time.sleep(0.02)
        figures = meter.read()
        seconds = 24 / figures["tokens_per_second"]
        assert figures["share_of_peak"] == pytest.approx(240 / seconds / 1e6)
        assert 0.02 / seconds <= figures["waiting"] <= 1
