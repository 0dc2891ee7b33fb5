"""The headline says what the figures say, good or bad."""

import pytest

from textbook.reporting.headline import headline

FIGURES = {
    "teacher": {"score": 82.6, "bytes": 90e6, "ms_per_sentence": 18.0, "paired": {"value": -0.6, "p_holm": 0.66}},
    "student": {"score": 82.0, "bytes": 30e6, "ms_per_sentence": 4.0},
    "majority": {"score": 48.7, "paired": {"value": 33.3, "p_holm": 0.0}},
    "scratch": {"score": 76.8, "paired": {"value": 5.2, "p_holm": 0.001}},
    "tfidf": {"score": 76.0, "paired": {"value": 6.0, "p_holm": 0.009}},
}


def changed(**by_name):
    return {name: {**figure, **by_name.get(name, {})} for name, figure in FIGURES.items()}


def test_a_good_student():
    assert headline(FIGURES, "accuracy") == (
        "The student scores 82.0 % (accuracy), 0.6 points below its teacher, which may be chance; it is 3.0 times"
        " smaller and 4.5 times faster on a CPU, and significantly better than the cheapest alternatives (majority"
        " class, student from scratch, TF-IDF + logistic regression)."
    )


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ({"score": 84.64, "paired": {"value": -2.6, "p_holm": 0.01}}, " 2.6 points below its teacher; it"),
        ({"score": 80.0, "paired": {"value": 2.0, "p_holm": 0.05}}, " 2.0 points above its teacher, which may be"),
        ({"score": 82.04}, ", as much as its teacher; it"),
        ({"bytes": 15e6}, " 2.0 times larger and 4.5 times faster"),
        ({"ms_per_sentence": 2.0}, " 3.0 times smaller and 2.0 times slower"),
    ],
)
def test_beside_the_teacher(figure, expected):
    assert expected in headline(changed(teacher=figure), "accuracy")


def test_without_a_paired_difference_nothing_is_said_of_chance():
    bare = {name: {key: value for key, value in figure.items() if key != "paired"} for name, figure in FIGURES.items()}
    assert headline(bare, "matthews") == (
        "The student scores 82.0 % (Matthews), 0.6 points below its teacher; it is 3.0 times smaller and 4.5 times"
        " faster on a CPU."
    )


def test_alternatives_that_score_higher_or_about_as_high_are_named_with_their_scores():
    better = {"score": 83.0, "paired": {"value": -1.0, "p_holm": 0.4}}
    level = {"score": 81.5, "paired": {"value": 0.5, "p_holm": 0.05}}
    text = headline(changed(tfidf=better, scratch=level), "accuracy")
    assert text.endswith(
        " on a CPU, but TF-IDF + logistic regression (83.0 %) scores higher and it is not significantly better than"
        " student from scratch (81.5 %)."
    )
    text = headline(changed(tfidf=better, scratch=better, majority=better), "accuracy")
    assert text.endswith(
        ", but majority class (83.0 %), student from scratch (83.0 %) and TF-IDF + logistic regression (83.0 %) score"
        " higher."
    )
    assert headline(changed(majority=level, tfidf=level), "accuracy").endswith(
        ", but it is not significantly better than majority class (81.5 %) or TF-IDF + logistic regression (81.5 %)."
    )
