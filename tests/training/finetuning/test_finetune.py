import os
import signal
from dataclasses import replace
from functools import partial
from itertools import chain, repeat

import numpy as np
import pytest
import torch

import textbook.training.engine.checkpoints as checkpoints_module
from conftest import make_reviews
from textbook.errors import UserError
from textbook.evaluation.metrics import measure_classifier
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import FineTuning
from textbook.training.engine.device import Device, best_device
from textbook.training.engine.log import log_to_file, read_history
from textbook.training.engine.optimizer import learning_rate, make_optimizer
from textbook.training.engine.tokens import tokenize
from textbook.training.finetuning.finetune import finetune
from textbook.training.finetuning.labelled import Labelled
from textbook.training.finetuning.objective import Objective
from textbook.training.finetuning.predict import predict

CPU = Device(torch.device("cpu"), bf16=False)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def reviews(tiny_teacher):
    tokenizer = load_tokenizer(tiny_teacher)

    def labelled(count, seed):
        texts, labels = zip(*make_reviews(count, seed), strict=True)
        return Labelled(tokenize(tokenizer, texts, None, 32), np.array(labels))

    return labelled(600, 0), labelled(100, 1), tokenizer.pad_token_id


def train_on(model, train, fine_tuning, pad_id, measure=lambda model: {"none": 0.0}, seed=0, **more):
    how = {"measure": measure, "pad_id": pad_id, "device": CPU, "name": "t", "section": "adapt", **more}
    return finetune(model, train, fine_tuning, seed, **how)


def settings(**changes):
    return FineTuning(
        **{"epochs": 6, "batch": 16, "lr": 3e-3, "warmup": 0.06, "weight_decay": 0.01, "max_length": 32, **changes}
    )


def test_a_classifier_learns_the_labels(tiny_teacher, reviews, tmp_path):
    train, validation, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    log = log_to_file(tmp_path / "history.jsonl")
    device = best_device()
    check = partial(
        measure_classifier, splits={"v": validation}, metrics=["accuracy", "f1"], pad_id=pad_id, device=device
    )
    figures = train_on(model, train, settings(epochs=10), pad_id, check, device=device, log=log)
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
        train_on(model, train, settings(epochs=1), pad_id, seed=seed)
        weights.append(model.classifier.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_predictions_do_not_depend_on_the_batch(tiny_teacher, reviews):
    _, validation, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    single, batched = (predict(model, validation.tokens, pad_id=pad_id, device=CPU, batch=size) for size in (1, 64))
    assert single.shape == (100, 2)
    assert np.array_equal(single.argmax(1), batched.argmax(1))
    assert np.allclose(single, batched, atol=1e-5)


def test_regression_learns_numbers(tiny_teacher, reviews):
    train, validation, pad_id = reviews
    train, validation = (Labelled(part.tokens, 5 * part.labels.astype(np.float32)) for part in (train, validation))
    model = load_classifier(tiny_teacher, ["stars"], seed=0, regression=True)
    check = partial(measure_classifier, splits={"v": validation}, metrics=["pearson"], pad_id=pad_id, device=CPU)
    assert train_on(model, train, settings(epochs=10), pad_id, check)["pearson"] > 0.9
    outputs = predict(model, validation.tokens, pad_id=pad_id, device=CPU)
    assert outputs.shape == (100, 1)
    assert np.abs(outputs[:, 0] - validation.labels).mean() < 1
    assert model.config.problem_type == "regression"
    assert model.config.id2label == {0: "stars"}


def test_patience_stops_training_and_restores_the_best_epoch(tiny_teacher, reviews):
    train, _, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    weights_by_epoch, epochs = [], []
    values = iter([0.2, 0.9, 0.5, 0.9, 1.0])  # an equal value is not an improvement

    def check(model):
        weights_by_epoch.append(model.classifier.weight.detach().clone())
        return {"accuracy": next(values), "f1": -1.0}

    figures = train_on(
        model, train, settings(epochs=5), pad_id, check, patience=2, log=lambda epoch, _: epochs.append(epoch)
    )
    assert epochs == [1, 2, 3, 4]
    assert figures == {"accuracy": 0.9, "f1": -1.0}
    assert torch.equal(model.classifier.weight, weights_by_epoch[1])
    assert not torch.equal(model.classifier.weight, weights_by_epoch[3])


def test_without_patience_the_last_epoch_is_kept(tiny_teacher, reviews):
    train, _, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    values = iter([0.9, 0.1])
    assert train_on(model, train, settings(epochs=2), pad_id, lambda model: {"accuracy": next(values)}) == {
        "accuracy": 0.1
    }


def test_a_model_that_is_not_finite_has_no_score(tiny_teacher, reviews, tmp_path):
    train, validation, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    measured = []
    with pytest.raises(UserError, match=r"^t: the loss of epoch 1 is (nan|inf); try a smaller adapt.lr than 1e\+30$"):
        train_on(model, train, settings(lr=1e30), pad_id, measured.append, checkpoints=tmp_path)
    assert not measured
    assert not list(tmp_path.iterdir()), "a checkpoint from which the run would resume"
    with pytest.raises(UserError, match="a classifier's outputs are not finite"):
        predict(model, validation.tokens, pad_id=pad_id, device=CPU)


def test_a_last_step_that_spoils_the_weights_is_noticed(tiny_teacher, reviews):
    """The loss of a step is that of the weights before it."""
    train, _, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    factors = chain(repeat(1.0, 2 * 38 - 1), [np.nan])
    model.classifier.bias.register_hook(lambda gradient: gradient * next(factors))
    with pytest.raises(UserError, match=r"^t: the weights are not finite \(.*\); try a smaller teacher.lr than 0.003$"):
        train_on(model, train, settings(epochs=2), pad_id, section="teacher")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"largest": 1000}, "adapt: has the token id 1000, but the student's vocabulary ends at 46"),
        ({"longest": 65}, "adapt: has a text of 65 tokens, but the student reads at most 64: adapt.max_length"),
    ],
)
def test_texts_that_the_model_cannot_read_are_refused_before_the_first_step(tiny_teacher, reviews, change, message):
    train, _, pad_id = reviews
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    model.register_forward_pre_hook(kill)
    with pytest.raises(UserError, match=message):
        train_on(model, Labelled(replace(train.tokens, **change), train.labels), settings(), pad_id)
    with pytest.raises(UserError, match="no token to pad with"):
        train_on(model, train, settings(), None)
    with pytest.raises(UserError, match="the head of the student has 2 outputs: must have at least 3"):
        train_on(model, Labelled(train.tokens, train.labels + 1), settings(), pad_id)


def test_a_student_learns_from_its_teachers_predictions_alone(tiny_teacher, reviews):
    train, validation, pad_id = reviews
    right = np.eye(2, dtype=np.float32)[train.labels] * 4
    wrong = Labelled(train.tokens, 1 - train.labels)
    model = load_classifier(tiny_teacher, ["bad", "good"], seed=0)
    check = partial(measure_classifier, splits={"v": validation}, metrics=["accuracy"], pad_id=pad_id, device=CPU)
    objective = Objective(share=1.0, predictions=right, temperature=2.0)
    assert train_on(model, wrong, settings(epochs=10), pad_id, check, objective=objective)["accuracy"] > 0.9


class Killed(Exception):
    pass


def kill(*_):
    raise Killed


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


class Run:
    """A training run of two epochs of 38 steps, with dropout.

    Attributes:
        steps: the number of training steps started by this object.
        history: the logged figures by epoch.
    """

    def __init__(self, teacher_folder, reviews):
        self.train, self.validation, self.pad_id = reviews
        self.model = load_classifier(teacher_folder, ["bad", "good"], seed=0)
        self.model.register_forward_pre_hook(self.before_step)
        self.steps, self.history, self.end, self.end_at = 0, {}, None, None

    def before_step(self, model, _inputs):
        self.steps += model.training
        if model.training and self.steps == self.end_at:
            self.end()

    def go(self, checkpoints=None, end=None, end_at=None, seed=0, rows=600, **changes):
        """Train, and call `end` at the start of step `end_at`."""
        self.end, self.end_at = end, end_at
        splits = {"v": self.validation}
        return train_on(
            self.model,
            Labelled(self.train.tokens.head(100 * rows / 600), self.train.labels[:rows]),
            settings(epochs=2, **changes),
            self.pad_id,
            partial(measure_classifier, splits=splits, metrics=["accuracy"], pad_id=self.pad_id, device=CPU),
            seed,
            log=lambda epoch, figures: self.history.update({epoch: figures}),
            checkpoints=checkpoints,
        )


@pytest.fixture
def run(tiny_teacher, reviews):
    """A function that creates a run without starting it."""
    return partial(Run, tiny_teacher, reviews)


def same_weights(one, other):
    weights = other.model.state_dict()
    return all(torch.equal(weight, weights[name]) for name, weight in one.model.state_dict().items())


@pytest.mark.parametrize("end_at", [20, 57])
def test_a_run_ended_by_sigterm_within_an_epoch_resumes_to_the_same_weights_and_losses(run, tmp_path, end_at):
    before = signal.getsignal(signal.SIGTERM)
    uninterrupted, terminated, resumed = run(), run(), run()
    expected = uninterrupted.go()
    with pytest.raises(SystemExit) as exit_info:
        terminated.go(tmp_path, terminate, end_at)
    assert exit_info.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert max(path.name for path in tmp_path.iterdir()) == f"{end_at:08}.safetensors"
    assert resumed.go(tmp_path) == expected
    assert (terminated.steps, resumed.steps) == (end_at, 76 - end_at)
    assert {**terminated.history, **resumed.history} == uninterrupted.history
    assert same_weights(resumed, uninterrupted)
    assert not same_weights(terminated, uninterrupted)


def test_a_run_killed_within_an_epoch_resumes_to_the_same_weights_and_losses(run, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints_module, "CHECKPOINT_SECONDS", 0)
    uninterrupted, killed, resumed = run(), run(), run()
    expected = uninterrupted.go()
    with pytest.raises(Killed):
        killed.go(tmp_path, kill, 57)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000055.safetensors", "00000056.safetensors"]
    assert resumed.go(tmp_path) == expected
    assert resumed.steps == 76 - 56
    assert {**killed.history, **resumed.history} == uninterrupted.history
    assert same_weights(resumed, uninterrupted)


def test_a_finished_run_returns_its_metrics_without_training(run, tmp_path):
    finished, again = run(), run()
    expected = finished.go(tmp_path)
    assert again.go(tmp_path) == expected
    assert again.steps == 0
    assert same_weights(again, finished)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 1e-3}, "lr was 0.003 and is 0.001"),
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"rows": 300}, "texts was 600 and is 300"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(run, tmp_path, changes, message):
    with pytest.raises(SystemExit):
        run().go(tmp_path, terminate, 5)
    with pytest.raises(UserError, match=rf"00000005.safetensors: is a checkpoint of another run \({message}\); remove"):
        run().go(tmp_path, **changes)


def test_the_learning_rate_rises_and_falls_linearly():
    schedule = settings(lr=2.0, warmup=0.2)
    rates = [learning_rate(step, 10, schedule) for step in range(10)]
    assert rates == pytest.approx([1, 2, 2, 14 / 8, 12 / 8, 10 / 8, 8 / 8, 6 / 8, 4 / 8, 2 / 8])


def test_biases_do_not_decay():
    optimizer = make_optimizer(torch.nn.Linear(2, 2), weight_decay=0.1)
    assert [(group["weight_decay"], group["params"][0].ndim) for group in optimizer.param_groups] == [
        (0.1, 2),
        (0.0, 1),
    ]
