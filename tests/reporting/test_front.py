"""The front of quality and cost."""

import pytest

from textbook.reporting.front import front_figure, not_dominated, smallest_close

FIGURES = {
    "teacher": {"score": 83.1, "ms_per_sentence": 8.4, "bytes": 90_000_000},
    "scratch": {"score": 76.5, "ms_per_sentence": 2.1, "bytes": 29_300_000},
    "student": {"score": 82.3, "ms_per_sentence": 2.0, "bytes": 29_300_000},
    "onnx": {"score": 82.0, "ms_per_sentence": 0.9, "bytes": 7_600_000},
    "majority": {"score": 48.7, "ms_per_sentence": 0.0001, "bytes": 8},
    "tfidf": {"score": 76.0, "ms_per_sentence": 0.2, "bytes": 2_000_000},
}


def change(name, **figures):
    return {**FIGURES, name: {**FIGURES[name], **figures}}


@pytest.mark.parametrize("cost", ["ms_per_sentence", "bytes"])
def test_the_front_has_the_models_that_none_dominates_from_cheap_to_good(cost):
    assert not_dominated(FIGURES, cost) == ["majority", "tfidf", "onnx", "student", "teacher"]


def test_of_models_with_one_cost_only_the_better_is_on_the_front():
    assert "scratch" not in not_dominated(change("scratch", score=82.2), "bytes")
    assert "student" not in not_dominated(change("scratch", score=82.4), "bytes")


def test_of_models_with_one_score_only_the_cheaper_is_on_the_front():
    assert "student" not in not_dominated(change("student", score=82.0), "bytes")


def test_the_smallest_model_close_to_the_teacher_is_named():
    assert smallest_close(change("onnx", score=82.1), "accuracy") == (
        "The smallest model within 1 point of the teacher: best student, int8 ONNX (7.6 MB, 0.9 CPU ms per text)."
    )
    assert "distilled student (29.3 MB" in smallest_close(FIGURES, "accuracy")
    assert smallest_close(change("student", score=80.0), "accuracy") == (
        "No smaller model is within 1 point of the teacher."
    )


def test_the_shapes_of_a_sweep_are_on_the_front_too():
    tiny = {"score": 82.4, "teacher_score": 83.3, "ms_per_sentence": 0.8, "bytes": 5_000_000}
    assert "tiny (general) (5.0 MB, 0.8 CPU ms" in smallest_close(FIGURES, "accuracy", {"tiny (general)": tiny})
    far = {**tiny, "teacher_score": 83.5}
    assert "distilled student (" in smallest_close(FIGURES, "accuracy", {"tiny (general)": far})
    assert front_figure(FIGURES, "accuracy", {"tiny (general)": tiny}).count(">tiny (general)<") == 2
    models = {**FIGURES, "tiny": tiny}
    assert not_dominated(models, "bytes") == ["majority", "tfidf", "tiny", "teacher"]


def test_the_figure_has_a_panel_for_each_cost_and_a_label_for_each_model():
    svg = front_figure(FIGURES, "accuracy")
    assert svg.startswith("<svg")
    for text in ("CPU ms per text", ">MB<", "accuracy, %"):
        assert text in svg
    assert svg.count(">distilled student<") == 2
