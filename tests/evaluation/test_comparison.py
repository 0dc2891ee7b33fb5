"""The comparison of a model with others, from files of predictions."""

import numpy as np
import pytest

from textbook.errors import UserError
from textbook.evaluation.comparison import compare_with_others, differences, not_beaten
from textbook.evaluation.paired import paired_difference
from textbook.evaluation.predictions import read_predictions, write_predictions
from textbook.evaluation.resampling import draw_rows, resample

LABELS = np.arange(200) % 2


def write(path, wrong, seeds=(0,), labels=LABELS):
    """Write predictions that are wrong in the first `wrong` rows."""
    answers = np.where(np.arange(len(labels)) < wrong, 1 - labels, labels)
    write_predictions(path, labels, dict.fromkeys(seeds, np.eye(2, dtype=np.float32)[answers]))
    return path


def test_differences_are_in_points_and_corrected_for_their_number(tmp_path):
    student = write(tmp_path / "student", 20, seeds=(0, 1))
    worse, better = write(tmp_path / "worse", 60), write(tmp_path / "better", 10)
    figures = compare_with_others("accuracy", student, {"worse": worse, "same": student, "better": better})
    assert [figures[name]["value"] for name in figures] == [20.0, 0.0, -5.0]
    # 40 of 200 rows differ: the standard error of their share is sqrt(0.2 * 0.8 / 200)
    assert figures["worse"]["error"] == pytest.approx(2.83, abs=0.2)
    for name in figures:
        paired = figures[name]
        assert set(paired) == {"value", "error", "low", "high", "p", "p_holm"}
        assert paired["low"] <= paired["value"] <= paired["high"]
    assert figures["worse"]["high"] == pytest.approx(20 + 1.96 * figures["worse"]["error"], abs=0.02)
    assert figures["better"]["p_holm"] == pytest.approx(2 * figures["better"]["p"], rel=1e-2)
    assert figures["same"]["p_holm"] == 1


def test_all_are_compared_with_all_and_the_seeds_of_a_models_files_are_taken_together(tmp_path):
    one, two, three = (write(tmp_path / name, wrong) for name, wrong in (("1", 10), ("2", 20), ("3", 30)))
    both = write(tmp_path / "both", 10, seeds=(0, 1))
    found = differences("accuracy", [[one, two], [three], [both]])
    assert list(found) == [(0, 1), (0, 2), (1, 2)]
    assert [round(100 * difference.value, 1) for difference in found.values()] == [7.5, -2.5, -10.0]
    assert found[0, 1] == paired_difference(
        *(
            resample("accuracy", LABELS, outputs, draw_rows(200))
            for outputs in (outputs_of(one, two), outputs_of(three))
        )
    )


def outputs_of(*paths):
    return [output for path in paths for output in read_predictions(path)[1].values()]


def test_files_of_different_data_are_not_compared(tmp_path):
    student = write(tmp_path / "student", 20)
    other = write(tmp_path / "other", 20, labels=LABELS[::-1])
    with pytest.raises(UserError, match=r"other: has other labels than .*student; run `dvc repro`"):
        compare_with_others("accuracy", student, {"other": other})


def test_a_student_must_beat_three_baselines_by_more_than_the_error_of_the_difference(tmp_path):
    student, close, worse = (write(tmp_path / name, wrong) for name, wrong in (("s", 20), ("c", 21), ("w", 60)))
    others = {"majority": worse, "scratch": close, "tfidf": student, "embeddings": close}
    figures = {name: {"paired": paired} for name, paired in compare_with_others("accuracy", student, others).items()}
    assert figures["scratch"]["paired"]["value"] == 0.5
    assert not_beaten({**figures, "student": {}}) == ["scratch", "tfidf"]
    assert not_beaten({"tfidf": {"paired": {"value": float("nan"), "error": 1.0}}}) == ["tfidf"]


def test_a_model_made_from_one_seed_is_compared_with_this_seed(tmp_path):
    answers = [np.where(np.arange(200) < wrong, 1 - LABELS, LABELS) for wrong in (20, 60)]
    outputs = {seed: np.eye(2, dtype=np.float32)[answer] for seed, answer in zip((3, 5), answers, strict=True)}
    write_predictions(tmp_path / "student", LABELS, outputs)
    int8 = write(tmp_path / "int8", 22)
    figures = compare_with_others("accuracy", tmp_path / "student", {"int8": int8}, seed=3)["int8"]
    assert figures["value"] == 1.0
    assert figures["high"] - figures["low"] < 4
    assert compare_with_others("accuracy", tmp_path / "student", {"int8": int8})["int8"]["value"] == -9.0
