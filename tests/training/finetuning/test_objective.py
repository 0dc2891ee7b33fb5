"""The losses of adaptation match their formulas."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from textbook.params import Adapt
from textbook.training.finetuning.objective import Objective, balanced_weights, gold_loss, make_objective, teacher_loss

torch.manual_seed(0)
LOGITS, PREDICTIONS = torch.randn(6, 3), torch.randn(6, 3)
LABELS = torch.tensor([0, 1, 2, 2, 2, 2])
ADAPT = {
    "weight": 0.25,
    "temperature": 2.0,
    "epochs": 1,
    "patience": None,
    "batch": 8,
    "lr": 1e-3,
    "warmup": 0.1,
    "weight_decay": 0.0,
    "max_length": 32,
    "seeds": [0],
}


def test_the_gold_loss_is_cross_entropy_for_classes_and_squared_error_for_numbers():
    expected = -LOGITS.log_softmax(1)[range(6), LABELS].mean()
    assert torch.allclose(gold_loss(LOGITS, LABELS), expected)
    numbers = torch.tensor([0.5, 2.0])
    assert torch.allclose(gold_loss(torch.tensor([[1.0], [4.0]]), numbers), torch.tensor((0.25 + 4) / 2))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_teacher_loss_is_the_divergence_of_softened_predictions(temperature):
    teacher, student = (torch.softmax(logits / temperature, 1) for logits in (PREDICTIONS, LOGITS))
    expected = temperature**2 * (teacher * (teacher / student).log()).sum(1).mean()
    assert torch.allclose(teacher_loss(LOGITS, PREDICTIONS, temperature), expected)
    assert teacher_loss(PREDICTIONS, PREDICTIONS, temperature).abs() < 1e-6


def test_at_a_high_temperature_the_gradient_is_the_one_of_matching_logits():
    """The loss is multiplied by the temperature squared to achieve this [Hinton et al. 2015, section 2.1]."""
    logits = LOGITS.double().requires_grad_()
    teacher_loss(logits, PREDICTIONS.double(), 1e3).backward()
    centred = [values - values.mean(1, keepdim=True) for values in (LOGITS.double(), PREDICTIONS.double())]
    assert torch.allclose(logits.grad, (centred[0] - centred[1]) / (3 * 6), atol=1e-3)


def test_the_teacher_loss_of_a_single_output_is_the_squared_error():
    assert torch.allclose(
        teacher_loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), 5), torch.tensor(2.5)
    )


def test_balanced_weights_give_every_class_the_same_total_weight():
    weights = balanced_weights(LABELS.numpy(), 3)
    assert weights.tolist() == [2.0, 2.0, 0.5]
    losses = F.cross_entropy(LOGITS, LABELS, reduction="none")
    expected = torch.stack([losses[label == LABELS].mean() for label in range(3)]).mean()
    assert torch.allclose(gold_loss(LOGITS, LABELS, torch.from_numpy(weights)), expected)


def test_both_losses_are_mixed_and_rows_use_their_own_predictions():
    rows = np.array([4, 1])
    loss = Objective(0.25, PREDICTIONS.numpy(), 2.0).loss(LOGITS[rows], LABELS[rows], rows)
    expected = 0.75 * gold_loss(LOGITS[rows], LABELS[rows]) + 0.25 * teacher_loss(LOGITS[rows], PREDICTIONS[rows], 2.0)
    assert torch.allclose(loss, expected)


@pytest.mark.parametrize(("targets", "share"), [("gold", 0.0), ("both", 0.25), ("teacher", 1.0)])
def test_the_teacher_predicts_once_and_only_if_needed(targets, share):
    calls = []

    def predict():
        calls.append(1)
        return PREDICTIONS.numpy()

    settings = Adapt(**ADAPT, targets=targets, class_weights="none")
    objective = make_objective(settings, LABELS.numpy(), 3, predict)
    for _ in range(2):
        objective.loss(LOGITS, LABELS, np.arange(6))
    assert objective.share == share
    assert len(calls) == (share > 0)


def test_numbers_have_no_class_weights():
    settings = Adapt(**ADAPT, targets="gold", class_weights="balanced")
    numbers = np.array([0.5, 1.0], np.float32)
    assert make_objective(settings, numbers, 1, lambda: numbers).class_weights is None
    assert make_objective(settings, LABELS.numpy(), 3, lambda: numbers).class_weights.tolist() == [2.0, 2.0, 0.5]
