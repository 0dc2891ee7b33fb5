"""Converting labels of files to numbers, and rejecting invalid ones."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from textbook.errors import UserError
from textbook.tasks.labels import class_indices, named, on_scale


def indices_of(labels: list[str], values: list[Any]) -> Any:
    return class_indices("mood", labels, {"train": (values, range(len(values)))})["train"]


@pytest.mark.parametrize(
    ("labels", "values", "indices"),
    [
        (["bad", "good"], ["good", "bad", "good"], [1, 0, 1]),
        (["bad", "good"], [1, 0, 1], [1, 0, 1]),
        (["bad", "good"], [1.0, 0.0, 1.0], [1, 0, 1]),
        (["no", "yes"], [True, False], [1, 0]),
        (["no", "yes"], ["true", "FALSE"], [1, 0]),  # as CSV has them
        (["true", "false"], [True, False], [0, 1]),
        (["true", "false"], ["TRUE", "false"], [0, 1]),
        (["True", "False"], [True, False], [0, 1]),
        (["0", "1"], [1, 0, 1], [1, 0, 1]),
        (["1", "2", "3"], [1, 3, 2], [0, 2, 1]),  # class names that are numbers are not indices
        (["1", "2", "3"], ["1", "3", "2"], [0, 2, 1]),
        (["1", "0"], [1, 0, 1], [0, 1, 0]),
        (["1", "-1"], [1, -1], [0, 1]),
        (["0.5", "1"], [1, 0.5], [1, 0]),
        (["nan", "inf"], ["inf", "nan"], [1, 0]),
        (["très bien", "N/A"], ["N/A", "très bien"], [1, 0]),
        (["1", "2", "n/a"], ["n/a", "2", "1"], [2, 1, 0]),
        (["1.10", "1.1"], ["1.1", "1.10"], [1, 0]),  # as written
        (["1.10", "1.2"], [1.1, 1.2], [0, 1]),
        (["bad", "good"], ["1", "0"], [1, 0]),  # indices in CSV
        (["0", "1"], [Decimal("1"), Decimal("0.00")], [1, 0]),
        (["3", "2", "5+"], ["5+", "2.0", 3], [2, 1, 0]),
    ],
)
def test_classes_become_indices(labels: list[str], values: list[Any], indices: list[int]) -> None:
    converted = indices_of(labels, values)
    assert converted.to_pylist() == indices
    assert converted.type == "int64"


def test_numbers_on_a_scale_are_unchanged() -> None:
    values = [0, 2.5, 5, "1.50", Decimal("4.25")]
    converted = on_scale("mood", [0, 5], values, range(5))
    assert converted.to_pylist() == [0.0, 2.5, 5.0, 1.5, 4.25]
    assert converted.type == "double"


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ({"labels": ["bad", "good"]}, "fair", "label 'fair' is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, 2, "label 2 is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, -1, "label -1 is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, None, "label (missing) is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, 0.5, "label 0.5 is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, float("nan"), "label nan is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, "", "label (missing) is not one of bad, good or 0 to 1"),
        ({"labels": ["bad", "good"]}, {"a": 1}, "label {'a': 1} is not one of bad, good or 0 to 1"),
        ({"labels": ["1", "2"]}, 0, "label 0 is not one of 1, 2"),
        ({"labels": ["1", "2"]}, True, "label True is not one of 1, 2"),
        ({"labels": ["1", "2", "5+"]}, "5", "label '5' is not one of 1, 2, 5+"),  # no index, as 1 and 2 are names
        ({"labels": ["1", "1.10", "1.1"]}, 1.1, "label 1.1 is not one of 1, 1.10, 1.1"),  # which of the two?
        ({"labels": ["1", "1000"]}, "1_000", "label '1_000' is not one of 1, 1000"),
        ({"scale": [0, 5]}, "2,5", "label '2,5' is not a number from 0 to 5"),
        ({"labels": ["1", "-1"]}, 0, "label 0 is not one of 1, -1"),
        ({"scale": [0, 5]}, "high", "label 'high' is not a number from 0 to 5"),
        ({"scale": [0, 5]}, None, "label (missing) is not a number from 0 to 5"),
        ({"scale": [0, 5]}, float("nan"), "label nan is not a number from 0 to 5"),
        ({"scale": [0, 5]}, True, "label True is not a number from 0 to 5"),
        ({"scale": [0, 2.5]}, 2.6, "label 2.6 is not a number from 0 to 2.5"),
    ],
)
def test_an_invalid_label_is_rejected_with_its_row(kind: dict[str, Any], value: object, problem: str) -> None:
    values, places = [1, value], ["films.csv, row 0", "films.csv, row 1"]
    splits = {"train": ([1], places[:1]), "validation": (values, places)}
    convert = (
        partial(on_scale, "mood", kind["scale"], values, places)
        if "scale" in kind
        else partial(class_indices, "mood", kind["labels"], splits)
    )
    with pytest.raises(UserError) as error:
        convert()
    assert str(error.value) == f"tasks.mood: films.csv, row 1: {problem}"


def test_only_indices_of_classes_get_names() -> None:
    assert named([0, 1, -1, 2, "bad"], ["bad", "good"]) == ["bad", "good", -1, 2, "bad"]
