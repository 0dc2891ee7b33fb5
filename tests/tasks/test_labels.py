"""Converting labels of files to numbers, and rejecting invalid ones."""

from pathlib import Path
from typing import Any

import pytest

from textbook.errors import UserError
from textbook.params import Task
from textbook.tasks.labels import read_labels

FILE = Path("films.csv")


def task(**kind: Any) -> Task:
    return Task(asset="films", text=["review"], label="stars", **kind)


@pytest.mark.parametrize(
    ("labels", "values", "indices"),
    [
        (["bad", "good"], ["good", "bad", "good"], [1, 0, 1]),
        (["bad", "good"], [1, 0, 1], [1, 0, 1]),
        (["bad", "good"], [1.0, 0.0, 1.0], [1, 0, 1]),
        (["no", "yes"], [True, False], [1, 0]),
        (["true", "false"], [True, False], [0, 1]),  # CSV readers convert these words
        (["True", "False"], [True, False], [0, 1]),
        (["0", "1"], [1, 0, 1], [1, 0, 1]),
        (["1", "2", "3"], [1, 3, 2], [0, 2, 1]),  # class names that are numbers are not indices
        (["1", "2", "3"], ["1", "3", "2"], [0, 2, 1]),
        (["1", "0"], [1, 0, 1], [0, 1, 0]),
        (["1", "-1"], [1, -1], [0, 1]),
        (["0.5", "1"], [1, 0.5], [1, 0]),
        (["nan", "inf"], ["inf", "nan"], [1, 0]),
        (["très bien", "N/A"], ["N/A", "très bien"], [1, 0]),
    ],
)
def test_classes_become_indices(labels: list[str], values: list[Any], indices: list[int]) -> None:
    converted = read_labels("mood", task(labels=labels), values, FILE)
    assert converted.to_pylist() == indices
    assert converted.type == "int64"


def test_numbers_on_a_scale_are_unchanged() -> None:
    converted = read_labels("mood", task(scale=[0, 5]), [0, 2.5, 5], FILE)
    assert converted.to_pylist() == [0.0, 2.5, 5.0]
    assert converted.type == "double"


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ({"labels": ["bad", "good"]}, "fair", "label 'fair' is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, 2, "label 2 is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, -1, "label -1 is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, None, "label None is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, 0.5, "label 0.5 is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, float("nan"), "label nan is not one of bad, good or 0 to 1"),
        ({"labels": ["1", "2"]}, 0, "label 0 is not one of 1, 2"),
        ({"labels": ["1", "-1"]}, 0, "label 0 is not one of 1, -1"),
        ({"scale": [0, 5]}, "high", "label 'high' is not a number from 0 to 5"),
        ({"scale": [0, 5]}, None, "label None is not a number from 0 to 5"),
        ({"scale": [0, 5]}, float("nan"), "label nan is not a number from 0 to 5"),
        ({"scale": [0, 5]}, True, "label True is not a number from 0 to 5"),
        ({"scale": [0, 2.5]}, 2.6, "label 2.6 is not a number from 0 to 2.5"),
    ],
)
def test_an_invalid_label_is_rejected_with_its_row(kind: dict[str, Any], value: object, problem: str) -> None:
    with pytest.raises(UserError) as error:
        read_labels("mood", task(**kind), [1, value], FILE)
    assert str(error.value) == f"tasks.mood: films.csv, row 1: {problem}"
