import threading
import time

import pytest

from textbook.training.feed import AHEAD, ahead


def test_what_is_made_comes_in_order():
    with ahead(lambda step: step * step, range(3, 40)) as results:
        assert list(results) == [step * step for step in range(3, 40)]


def test_it_is_made_in_advance_but_not_all_of_it():
    made = []
    with ahead(made.append, range(1000)) as results:
        next(results)
        deadline = time.monotonic() + 5
        while len(made) < AHEAD + 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(made) == AHEAD + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


def test_an_error_comes_to_whom_it_concerns():
    def make(step):
        if step == 2:
            raise ValueError("step 2")
        return step

    with ahead(make, range(10)) as results:
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="step 2"):
            next(results)
