import threading
import time

import pytest

from textbook.training.engine.feed import AHEAD, prefetch


def test_results_come_in_order():
    with prefetch(lambda step: step * step, range(3, 40)) as results:
        assert list(results) == [step * step for step in range(3, 40)]


def test_only_some_results_are_computed_in_advance():
    made = []
    with prefetch(made.append, range(1000)) as results:
        next(results)
        deadline = time.monotonic() + 5
        while len(made) < AHEAD + 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(made) == AHEAD + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


def test_an_error_is_raised_when_its_result_is_requested():
    def make(step):
        if step == 2:
            raise ValueError("step 2")
        return step

    with prefetch(make, range(10)) as results:
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="step 2"):
            next(results)
