"""Confusion matrices, beside counts made by hand."""

import numpy as np

from textbook.reporting.confusion import READABLE, Confusion, confusion


def test_answers_are_counted_by_class():
    labels = np.array([0, 0, 0, 0, 2, 2])
    answered = np.array([0, 0, 0, 2, 1, 2])
    found = confusion(labels, np.eye(3, dtype=np.float32)[answered], ["a", "b", "c"])
    assert found.counts.tolist() == [[3, 0, 1], [0, 0, 0], [0, 1, 1]]
    assert found.lines == [
        ("a", [(3, 75.0), (0, 0.0), (1, 25.0)]),
        ("b", [(0, 0.0), (0, 0.0), (0, 0.0)]),
        ("c", [(0, 0.0), (1, 50.0), (1, 50.0)]),
    ]


def test_wrong_answers_are_sorted_by_count_and_share():
    found = Confusion(["a", "b", "c"], np.array([[7, 2, 1], [2, 2, 0], [0, 3, 3]]))
    assert found.most_frequent == [("c", "b", 3, 50.0), ("b", "a", 2, 50.0), ("a", "b", 2, 20.0), ("a", "c", 1, 10.0)]


def test_only_a_small_matrix_is_readable():
    sizes = (READABLE, READABLE + 1)
    small, large = (Confusion(["x"] * size, np.ones((size, size), np.int64)) for size in sizes)
    assert small.readable
    assert not large.readable
    assert len(large.most_frequent) == READABLE
