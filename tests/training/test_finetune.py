from functools import partial

import numpy as np
import pytest
import torch

from conftest import make_reviews
from textbook.evaluation.metrics import measure
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.training.device import Device, best_device
from textbook.training.finetune import Labelled, Settings, finetune, predict
from textbook.training.log import log_to_file, read_history
from textbook.training.objective import Objective
from textbook.training.optimizer import learning_rate, make_optimizer
from textbook.training.tokens import tokenize

CPU = Device(torch.device("cpu"), bf16=False)


@pytest.fixture
def reviews(tiny_teacher):
    tokenizer = load_tokenizer(tiny_teacher)

    def labelled(count, seed):
        texts, labels = zip(*make_reviews(count, seed), strict=True)
        return Labelled(tokenize(tokenizer, texts, None, 32), np.array(labels))

    return labelled(600, 0), labelled(100, 1), tokenizer.pad_token_id


def train_on(model, train, how, pad_id, measure=lambda model: {"none": 0.0}, **more):
    return finetune(model, train, how, measure=measure, pad_id=pad_id, device=CPU, name="t", **more)


def settings(**changes):
    return Settings(
        **{"epochs": 6, "batch": 16, "lr": 3e-3, "warmup": 0.06, "weight_decay": 0.01, "seed": 0, **changes}
    )


def test_it_learns_what_the_labels_depend_on(tiny_teacher, reviews, tmp_path):
    train, validation, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    log = log_to_file(tmp_path / "history.jsonl")
    device = best_device()
    check = partial(measure, splits={"v": validation}, metrics=["accuracy", "f1"], pad_id=pad_id, device=device)
    figures = finetune(
        model, train, settings(epochs=10), measure=check, pad_id=pad_id, device=device, name="t", log=log
    )
    assert figures["accuracy"] > 0.9
    history = read_history(tmp_path / "history.jsonl")
    assert [line["step"] for line in history] == list(range(1, 11))
    assert {name: history[-1][name] for name in figures} == figures
    assert check(model) == figures
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_same_seed_gives_the_same_model(tiny_teacher, reviews):
    train, _, pad_id = reviews
    weights = []
    for seed in (0, 0, 1):
        model = load_classifier(tiny_teacher, ["bad", "good"], seed=seed)
        train_on(model, train, settings(epochs=1, seed=seed), pad_id)
        weights.append(model.classifier.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_predictions_do_not_depend_on_the_batch(tiny_teacher, reviews):
    _, validation, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    one, many = (predict(model, validation.tokens, pad_id=pad_id, device=CPU, batch=size) for size in (1, 64))
    assert one.shape == (100, 2)
    assert np.array_equal(one.argmax(1), many.argmax(1))
    assert np.allclose(one, many, atol=1e-5)


def test_a_number_is_learnt_as_a_number(tiny_teacher, reviews):
    train, validation, pad_id = reviews
    train, validation = (Labelled(each.tokens, 5 * each.labels.astype(np.float32)) for each in (train, validation))
    model = load_classifier(tiny_teacher, ["stars"], seed=0, regression=True)
    check = partial(measure, splits={"v": validation}, metrics=["pearson"], pad_id=pad_id, device=CPU)
    assert train_on(model, train, settings(epochs=10), pad_id, check)["pearson"] > 0.9
    found = predict(model, validation.tokens, pad_id=pad_id, device=CPU)
    assert found.shape == (100, 1)
    assert np.abs(found[:, 0] - validation.labels).mean() < 1
    assert model.config.problem_type == "regression"
    assert model.config.id2label == {0: "stars"}


def test_patience_ends_training_and_goes_back_to_the_best_epoch(tiny_teacher, reviews):
    train, _, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    seen, epochs = [], []
    values = iter([0.2, 0.9, 0.5, 0.9, 1.0])  # as good as the best is not better

    def check(model):
        seen.append(model.classifier.weight.detach().clone())
        return {"accuracy": next(values), "f1": -1.0}

    how = settings(epochs=5, patience=2)
    figures = train_on(model, train, how, pad_id, check, log=lambda epoch, _: epochs.append(epoch))
    assert epochs == [1, 2, 3, 4]
    assert figures == {"accuracy": 0.9, "f1": -1.0}
    assert torch.equal(model.classifier.weight, seen[1])
    assert not torch.equal(model.classifier.weight, seen[3])


def test_without_patience_the_last_epoch_stays(tiny_teacher, reviews):
    train, _, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    values = iter([0.9, 0.1])
    assert train_on(model, train, settings(epochs=2), pad_id, lambda model: {"accuracy": next(values)}) == {
        "accuracy": 0.1
    }


def test_a_student_learns_from_its_teachers_predictions_alone(tiny_teacher, reviews):
    train, validation, pad_id = reviews
    right = np.eye(2, dtype=np.float32)[train.labels] * 4
    wrong = Labelled(train.tokens, 1 - train.labels)
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    check = partial(measure, splits={"v": validation}, metrics=["accuracy"], pad_id=pad_id, device=CPU)
    objective = Objective(share=1.0, predictions=right, temperature=2.0)
    assert train_on(model, wrong, settings(epochs=10), pad_id, check, objective=objective)["accuracy"] > 0.9


def test_the_learning_rate_rises_and_falls_linearly():
    rates = [learning_rate(step, peak=2.0, warmup=0.2, steps=10) for step in range(10)]
    assert rates == pytest.approx([1, 2, 2, 14 / 8, 12 / 8, 10 / 8, 8 / 8, 6 / 8, 4 / 8, 2 / 8])


def test_biases_do_not_decay():
    optimizer = make_optimizer(torch.nn.Linear(2, 2), weight_decay=0.1)
    assert [(group["weight_decay"], group["params"][0].ndim) for group in optimizer.param_groups] == [
        (0.1, 2),
        (0.0, 1),
    ]
