"""The metrics match published values."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from conftest import make_reviews
from textbook.evaluation.metrics import measure_classifier, measure_on_validation, score, standard_error, summarize
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import tokenize
from textbook.training.finetuning.labelled import Labelled

CPU = Device(torch.device("cpu"), bf16=False)


def logits_of(classes, count):
    """Logits that are the largest for the given classes."""
    return np.eye(count, dtype=np.float32)[classes] * 3 - 1


def test_metrics_of_two_classes():
    # https://en.wikipedia.org/wiki/Phi_coefficient: 8 cats and 4 dogs; 2 cats are classified as dogs and 1 dog as a cat
    labels = np.array([1] * 8 + [0] * 4)
    predicted = np.array([0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1])
    figures = score(["matthews", "accuracy", "f1"], labels, logits_of(predicted, 2))
    assert list(figures) == ["matthews", "accuracy", "f1"]
    assert figures["matthews"] == pytest.approx(0.478, abs=5e-4)
    assert figures["accuracy"] == 9 / 12
    assert figures["f1"] == pytest.approx(2 * 6 / (2 * 6 + 1 + 2))


def test_macro_f1_of_three_classes():
    labels, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 1])
    assert score(["macro_f1"], labels, logits_of(predicted, 3)) == {"macro_f1": pytest.approx((1 + 0.5 + 0.5) / 3)}


def test_pearson_correlation():
    # Anscombe's first data set (1973)
    labels = np.array([10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5], np.float32)
    predicted = np.array([8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68], np.float32)
    assert score(["pearson"], labels, predicted[:, None])["pearson"] == pytest.approx(0.81642, abs=5e-6)


def test_spearman_correlation():
    # https://en.wikipedia.org/wiki/Spearman%27s_rank_correlation_coefficient: IQ and hours of television per week
    labels = np.array([106, 100, 86, 101, 99, 103, 97, 113, 112, 110], np.float32)
    predicted = np.array([7, 27, 2, 50, 28, 29, 20, 12, 6, 17], np.float32)
    assert score(["spearman"], labels, predicted[:, None])["spearman"] == pytest.approx(-29 / 165)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_the_correlation_with_a_constant_is_zero(metric):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score([metric], np.array([1, 2, 3], np.float32), np.ones((3, 1), np.float32)) == {metric: 0.0}


@pytest.mark.parametrize("metric", ["f1", "matthews"])
def test_predicting_a_single_class_scores_zero_without_a_warning(metric):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score([metric], np.array([0, 1, 1]), logits_of([0, 0, 0], 2)) == {metric: 0.0}


def test_the_standard_error_of_accuracy_is_the_binomial_one():
    labels = np.random.default_rng(1).integers(0, 2, 400)
    outputs = logits_of(np.where(np.arange(400) < 300, labels, 1 - labels), 2)
    assert standard_error("accuracy", labels, outputs) == pytest.approx((0.75 * 0.25 / 400) ** 0.5, rel=0.15)


def test_metrics_of_a_second_split_are_named_after_it(tiny_teacher):
    tokenizer = load_tokenizer(tiny_teacher)
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    splits = {}
    for seed, name in enumerate(("validation", "validation_mismatched")):
        texts, labels = zip(*make_reviews(30 + seed, seed), strict=True)
        splits[name] = Labelled(tokenize(tokenizer, texts, None, 32), np.array(labels))
    figures = measure_classifier(model, splits, ["accuracy", "f1"], pad_id=tokenizer.pad_token_id, device=CPU)
    further = {"accuracy_validation_mismatched", "f1_validation_mismatched"}
    assert [*figures][:2] == ["accuracy", "f1"]
    assert {*figures} - {"accuracy", "f1"} == {*further, "standard_error"}
    assert round(figures["accuracy"] * 30, 9).is_integer()
    assert round(figures["accuracy_validation_mismatched"] * 31, 9).is_integer()


def test_a_model_is_measured_on_all_validation_splits_of_a_prepared_task(tiny_teacher, tmp_path):
    tokenizer = load_tokenizer(tiny_teacher)
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    splits = {}
    for seed, name in enumerate(("validation", "validation_mismatched", "train")):
        texts, labels = zip(*make_reviews(30 + seed, seed), strict=True)
        pq.write_table(pa.table({"sentence": texts, "label": labels}), tmp_path / f"{name}.parquet")
        splits[name] = Labelled(tokenize(tokenizer, texts, None, 32), np.array(labels))
    del splits["train"]
    measure = measure_on_validation(tmp_path, ["accuracy"], tokenizer, 32, CPU)
    expected = measure_classifier(model, splits, ["accuracy"], pad_id=tokenizer.pad_token_id, device=CPU)
    assert measure(model) == expected
    assert [*expected] == ["accuracy", "accuracy_validation_mismatched", "standard_error"]


def test_runs_are_summarised_in_percent_with_the_first_metric_as_the_score():
    runs = [
        {"matthews": 0.5, "accuracy": 0.8, "standard_error": 0.02},
        {"matthews": 0.6, "accuracy": 0.8, "standard_error": 0.03},
    ]
    assert summarize(runs) == {
        "score": 55.0,
        "score_std": 7.07,
        "matthews": 55.0,
        "matthews_std": 7.07,
        "accuracy": 80.0,
        "accuracy_std": 0.0,
        "standard_error": 2.5,
        "seeds": 2,
    }
    assert summarize(runs[:1])["score_std"] == 0.0
