"""What labels are taken for: classes, or numbers on a scale; and what is said about them."""

from pathlib import Path
from typing import Any

import pytest

from textbook.errors import UserError
from textbook.proposals.proposed_labels import ProposedLabels, understand_labels
from textbook.tasks.rows import LabelledRows, Place


def understand(values: list[Any], *names: str) -> ProposedLabels:
    places = [Place(Path("a.csv"), number, None) for number in range(len(values))]
    return understand_labels("mood", LabelledRows([("a text",)] * len(values), values, places), names)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["yes", "no"], ["no", "yes"]),
        (["10", "9", "n/a"], ["9", "10", "n/a"]),
        ([True, False], ["false", "true"]),
        (["True", "False"], ["False", "True"]),
        ([1.0, 0.0], ["0", "1"]),
        (["1.0", "0"], ["0", "1"]),
        (["1.10", "1.1", "n/a"], ["1.1", "1.10", "n/a"]),
        (["01", "1"], ["01", "1"]),
        ([1, "5+"], ["1", "5+"]),
    ],
)
def test_classes_are_named_as_they_are_written(values: list[Any], classes: list[str]) -> None:
    assert understand(values * 20).classes == dict.fromkeys(classes, 20)


@pytest.mark.parametrize(
    ("values", "scale"),
    [(["0.5", "4.75"], [0, 5]), ([-1.2, 3.0], [-2, 3]), (list(range(1, 30)), [1, 29])],
)
def test_numbers_with_fractions_or_many_numbers_are_on_a_scale(values: list[Any], scale: list[float]) -> None:
    labels = understand(values * 20)
    assert (labels.scale, labels.classes, labels.metrics) == (scale, {}, ["pearson", "spearman"])
    low, high = scale
    assert labels.notes[0] == f"the labels are taken for numbers on a scale from {low} to {high}"


def test_a_wide_scale_is_mentioned() -> None:
    (_, note) = understand([0.5, 99.5]).notes
    assert note == "a scale as wide as 0 to 100 trains badly: divide the labels, to about 0 to 5"


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (
            ["0", "1"] * 20,
            "the model will answer with 0, 1; names in this order can replace them in `labels`",
        ),
        (
            list("12345") * 20,
            "the numbers 1 to 5 are taken for classes; if they are grades, replace `labels` by `scale: [1, 5]`",
        ),
        (["a"] * 20 + ["b"] * 3, "classes with fewer than 10 rows, too few to learn or to measure: b 3"),
        (
            ["a"] * 90 + ["b"] * 10,
            "90 % of the rows are 'a': `adapt.class_weights: balanced` gives all classes the same",
        ),
        (["Yes", "yes", "no "] * 20, "'Yes', 'yes' may be one class"),
        (["a", "b"] * 20 + ["", None, " "], "3 rows have no label; `where` leaves them out"),
    ],
)
def test_what_looks_wrong_is_mentioned(values: list[Any], note: str) -> None:
    assert any(line.startswith(note) for line in understand(values).notes)


def test_nothing_is_said_of_labels_that_are_in_order() -> None:
    assert understand(["a", "b"] * 20).notes == []


def test_rare_classes_count_as_much_as_the_others_in_the_first_metric() -> None:
    assert understand(["a", "b"] * 20).metrics == ["accuracy"]
    assert understand(["a"] * 40 + ["b"] * 10).metrics == ["macro_f1", "accuracy"]


def test_rows_without_a_label_are_left_out_by_the_labels_of_the_others() -> None:
    assert understand(["b", "", "a"] * 20).where == ["a", "b"]
    assert understand(["b", "a"] * 20 + [None]).notes == ["1 row has no label; `where` leaves it out"]
    assert understand(["a", "b"] * 20).where is None


@pytest.mark.parametrize(
    ("values", "names", "problem"),
    [
        ([None], [], "has no values: nothing to learn"),
        (["a", "a"], [], "has the single value 'a': nothing to learn"),
        ([f"a{n}" for n in range(201)], [], "has 201 different values, but a task has at most 200 classes"),
        (["a\nb", "c"], [], r"has the value 'a\nb'; the name of a class is one line"),
        ([["a"], ["b"]], [], "has lists or objects; it must have text, numbers, or true and false"),
    ],
)
def test_labels_of_which_nothing_can_be_learned_are_refused(values: list[Any], names: list[str], problem: str) -> None:
    with pytest.raises(UserError) as error:
        understand(values, *names)
    assert str(error.value) == f"a.csv: label 'mood' {problem}"


@pytest.mark.parametrize(("values", "names"), [([0.5, None, 1.5], []), (["a", None, "b"], ["a", "b"])])
def test_a_missing_label_that_no_condition_leaves_out_is_refused_with_its_row(
    values: list[Any], names: list[str]
) -> None:
    with pytest.raises(UserError, match=r"^a\.csv, row 1: no label in mood; fill it in, or remove the row$"):
        understand(values, *names)
