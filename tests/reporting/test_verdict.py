"""The line on the student and the baselines."""

from typing import Any

import pytest

from textbook.reporting.verdict import verdict


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
