import numpy as np
import pytest
import torch

from textbook.training.distillation.relations import relation_loss, relations


def plain_loss(teacher, student, mask, heads):
    """The loss by its definition, one sentence and one head at a time, in double precision."""
    per_sentence = []
    for number, length in enumerate(mask.sum(1).tolist()):
        total = 0.0
        for teacher_states, student_states in zip(teacher, student, strict=True):
            for head in range(heads):
                probabilities = []
                for states in (teacher_states, student_states):
                    width = states.shape[2] // heads
                    x = states[number, :length, head * width : (head + 1) * width].double()
                    probabilities.append(torch.softmax(x @ x.T / np.sqrt(width), dim=1))
                target, actual = probabilities
                total = total + (target * (target.log() - actual.log())).sum() / (heads * length)
        per_sentence.append(total)
    return sum(per_sentence) / len(per_sentence)


def make_qkv(hidden, seed, batch=3, length=6):
    torch.manual_seed(seed)
    return tuple(torch.randn(batch, length, hidden, requires_grad=True) for _ in range(3))


MASK = torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5])


@pytest.mark.parametrize("heads", [1, 4, 8])
@pytest.mark.parametrize(("teacher_hidden", "student_hidden"), [(16, 16), (32, 8)])
def test_the_loss_and_its_gradients_match_the_definition(heads, teacher_hidden, student_hidden):
    teacher, student = make_qkv(teacher_hidden, 0), make_qkv(student_hidden, 1)
    loss = relation_loss(teacher, student, MASK, heads)
    gradients = torch.autograd.grad(loss, student)
    expected = plain_loss(teacher, student, MASK, heads)
    torch.testing.assert_close(loss, expected.float(), rtol=1e-5, atol=1e-6)
    for gradient, expected_gradient in zip(gradients, torch.autograd.grad(expected, student), strict=True):
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-6)


def test_padding_does_not_change_the_loss():
    teacher, student = make_qkv(16, 0), make_qkv(8, 1)
    loss = relation_loss(teacher, student, MASK, 4)
    longer = [[torch.cat([x, 100 * torch.randn(3, 5, x.shape[2])], dim=1) for x in qkv] for qkv in (teacher, student)]
    padded = relation_loss(
        tuple(longer[0]), tuple(longer[1]), torch.cat([MASK, torch.zeros(3, 5, dtype=torch.long)], 1), 4
    )
    torch.testing.assert_close(loss, padded, rtol=1e-5, atol=1e-6)


def test_a_student_with_the_teachers_states_has_zero_loss():
    teacher = make_qkv(16, 0)
    assert relation_loss(teacher, teacher, MASK, 4).item() == pytest.approx(0, abs=1e-6)


def test_the_teacher_gets_no_gradient():
    teacher, student = make_qkv(16, 0), make_qkv(16, 1)
    relation_loss(teacher, student, MASK, 4).backward()
    assert all(x.grad is None for x in teacher)


def test_relations_are_probabilities_over_valid_keys():
    probabilities = relations(make_qkv(16, 0)[0], MASK, 4).exp()
    torch.testing.assert_close(probabilities.sum(3), torch.ones(3, 4, 6))
    assert probabilities[1, :, :, 4:].max() == 0
