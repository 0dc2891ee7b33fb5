"""The losses of adaptation, against their formulas."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from textbook.params import Adapt
from textbook.training.objective import Objective, balanced_weights, gold_loss, make_objective, teacher_loss

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


def test_classes_have_the_cross_entropy_and_numbers_the_squared_error():
    expected = -LOGITS.log_softmax(1)[range(6), LABELS].mean()
    assert torch.allclose(gold_loss(LOGITS, LABELS), expected)
    numbers = torch.tensor([0.5, 2.0])
    assert torch.allclose(gold_loss(torch.tensor([[1.0], [4.0]]), numbers), torch.tensor((0.25 + 4) / 2))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_teachers_loss_is_the_softened_divergence(temperature):
    teacher, student = (torch.softmax(each / temperature, 1) for each in (PREDICTIONS, LOGITS))
    expected = temperature**2 * (teacher * (teacher / student).log()).sum(1).mean()
    assert torch.allclose(teacher_loss(LOGITS, PREDICTIONS, temperature), expected)
    assert teacher_loss(PREDICTIONS, PREDICTIONS, temperature).abs() < 1e-6


def test_the_gradient_of_a_high_temperature_is_that_of_matching_logits():
    """What the squared temperature is for [Hinton et al. 2015, section 2.1]."""
    logits = LOGITS.double().requires_grad_()
    teacher_loss(logits, PREDICTIONS.double(), 1e3).backward()
    centred = [each - each.mean(1, keepdim=True) for each in (LOGITS.double(), PREDICTIONS.double())]
    assert torch.allclose(logits.grad, (centred[0] - centred[1]) / (3 * 6), atol=1e-3)


def test_a_single_output_is_a_number_for_the_teacher_too():
    assert torch.allclose(
        teacher_loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), 5), torch.tensor(2.5)
    )


def test_with_balanced_weights_every_class_counts_alike():
    weights = balanced_weights(LABELS.numpy(), 3)
    assert weights.tolist() == [2.0, 2.0, 0.5]
    each = F.cross_entropy(LOGITS, LABELS, reduction="none")
    expected = torch.stack([each[label == LABELS].mean() for label in range(3)]).mean()
    assert torch.allclose(gold_loss(LOGITS, LABELS, torch.from_numpy(weights)), expected)


def test_both_losses_are_mixed_by_their_weight_and_rows_find_their_predictions():
    rows = np.array([4, 1])
    found = Objective(0.25, PREDICTIONS.numpy(), 2.0).loss(LOGITS[rows], LABELS[rows], rows)
    expected = 0.75 * gold_loss(LOGITS[rows], LABELS[rows]) + 0.25 * teacher_loss(LOGITS[rows], PREDICTIONS[rows], 2.0)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize(("targets", "share"), [("gold", 0.0), ("both", 0.25), ("teacher", 1.0)])
def test_the_teacher_is_asked_once_and_only_if_needed(targets, share):
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
