"""The line on the student and the baselines."""

from pathlib import Path
from typing import Any

import pytest

from textbook.params_file import load_params
from textbook.reporting.verdict import advice, verdict, warning

DISTILL = load_params(Path(__file__).parents[2] / "params.yaml").distill.model_copy(update={"steps": 300, "batch": 64})
TEACHER = {"score": 75.0, "standard_error": 1.0}


def figures(**leads: tuple[float, float]) -> dict[str, Any]:
    """Figures with the student's lead over each model and its corrected p-value."""
    paired = {name: {"paired": {"value": value, "p_holm": p}} for name, (value, p) in leads.items()}
    return {"teacher": {"paired": {"value": -9.0, "p_holm": 0.0}}, "student": {}, **paired}


@pytest.mark.parametrize(
    ("leads", "line"),
    [
        ({}, ""),
        ({"scratch": (5.0, 0.01), "majority": (30.0, 0.0)}, "The student is significantly better than every baseline."),
        (
            {"majority": (30.0, 0.0), "tfidf": (-2.0, 0.01), "embeddings": (-0.5, 0.6)},
            "Better than the student: TF-IDF + logistic regression (by 2.0 points), teacher's embeddings + logistic"
            " regression (by 0.5 points, which may be chance). The student is significantly better than majority"
            " class.",
        ),
        (
            {"scratch": (1.0, 0.3), "majority": (0.0, 1.0)},
            "The student is not significantly better than: student from scratch, majority class.",
        ),
    ],
)
def test_what_is_better_than_the_student_comes_first(leads: dict[str, tuple[float, float]], line: str) -> None:
    assert verdict(figures(**leads), "accuracy") == line


def test_the_models_of_a_scale_have_other_names() -> None:
    line = verdict(figures(majority=(9.0, 0.0), tfidf=(-1.0, 0.2)), "pearson")
    assert "TF-IDF + ridge regression (by 1.0 points, which may be chance)" in line
    assert line.endswith("significantly better than mean label.")


def measured(teacher: dict[str, float] = TEACHER, **leads: float) -> dict[str, Any]:
    """Figures of a student that has 65.4, with its lead over other models; the error of each is 1 point."""
    others = {name: {"score": 65.4 - lead, "paired": {"value": lead, "error": 1.0}} for name, lead in leads.items()}
    return {"teacher": teacher, "student": {"score": 65.4}, **others}


BEATEN = {"majority": 1.1, "scratch": 1.1, "tfidf": 1.1}


def test_a_student_that_beats_what_it_must_has_no_warning() -> None:
    assert warning(measured(**BEATEN, embeddings=-9.0, truncated_teacher=-9.0), "accuracy") == ""
    assert warning(measured(), "accuracy") == ""  # nothing was compared


@pytest.mark.parametrize(
    ("name", "title"),
    [("majority", "majority class"), ("scratch", "student from scratch"), ("tfidf", "TF-IDF + logistic regression")],
)
@pytest.mark.parametrize("lead", [-3.0, 0.0, 1.0])
def test_a_lead_within_its_error_is_none(name: str, title: str, lead: float) -> None:
    line = warning(measured(**(BEATEN | {name: lead})), "accuracy")
    score = 65.4 - lead
    assert line == f"The student (65.4) does not beat {title} ({score:.1f}) by more than the error of the difference."


@pytest.mark.parametrize(
    ("texts", "percent", "line"),
    [
        (40_000_000, 100, "read 0.048 % of the textbook in 300 steps: take more steps"),
        (138_000, 100, "read 13.9 % of the textbook in 300 steps: take more steps"),
        (19_210, 100, "read 99.9 % of the textbook in 300 steps: take more steps"),
        (9_600, 100, "read the textbook 2.0 times in 300 steps: take more steps"),
        (1_000, 100, "read the textbook 19.2 times in 300 steps, which is learning it by heart: make it larger"),
        (10_000, 10, "read the textbook 19.2 times"),
        (0, 100, "Distillation took 300 steps: take more (distill.steps)."),
    ],
)
def test_advice_sets_the_steps_against_the_size_of_the_textbook(texts: int, percent: float, line: str) -> None:
    distill = DISTILL.model_copy(update={"top_percent": percent})
    given = advice(measured(majority=-3.0), "accuracy", distill, {}, texts)
    assert given.startswith("What is likely to help: Distillation ")
    assert line in given


@pytest.mark.parametrize(
    ("teacher", "hardly"),
    [({"score": 69.4, "standard_error": 1.0}, True), ({"score": 69.5, "standard_error": 1.0}, False)],
)
def test_advice_looks_at_the_teacher_first(teacher: dict[str, float], hardly: bool) -> None:
    figures = measured(teacher, majority=-2.0, tfidf=-3.0, embeddings=-20.0)
    line = advice(figures, "accuracy", DISTILL, {}, 0)
    text = "The teacher itself (69.4) is hardly better than TF-IDF + logistic regression (68.4): train it longer"
    assert line.startswith(f"What is likely to help: {text}") == hardly


@pytest.mark.parametrize(("common", "few"), [(30.4, True), (64.5, False)])
def test_advice_mentions_few_common_words(common: float, few: bool) -> None:
    line = advice(measured(majority=-3.0), "accuracy", DISTILL, {"overlap_with_task": common}, 9)
    assert ("Only 30 % of their most frequent words are common to task and textbook" in line) == few
