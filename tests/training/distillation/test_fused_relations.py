"""The relation loss in one pass is the plain one, in value and gradient."""

import pytest
import torch

from textbook.training.distillation.fused_relations import fused_relation_loss
from textbook.training.distillation.relations import relation_loss


def make_states(lengths, hidden, seed, dtype=torch.float32):
    torch.manual_seed(seed)
    states = (torch.randn(len(lengths), max(lengths), hidden) for _ in range(3))
    return tuple(x.to(dtype).requires_grad_() for x in states)


def mask_of(lengths):
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


def value_and_gradients(objective, teacher, student, *arguments):
    loss = objective(teacher, student, *arguments)
    return loss.detach(), torch.autograd.grad(loss, student)


def exact(teacher, student, mask, heads, weights):
    """The plain loss in double precision."""
    in_double = [tuple(x.detach().double().requires_grad_() for x in states) for states in (teacher, student)]
    loss, gradients = value_and_gradients(relation_loss, *in_double, mask, heads, weights)
    return loss.float(), gradients


@pytest.mark.parametrize(
    ("lengths", "heads", "teacher_hidden", "student_hidden"),
    [
        ([21, 20, 18, 2], 24, 384, 192),
        ([1, 1], 1, 4, 4),
        ([7, 3, 1], 2, 10, 6),
        ([33], 12, 12, 36),
        ([64, 9], 64, 1024, 384),
        ([512, 3], 4, 64, 16),
    ],
)
def test_value_and_gradients_match_the_plain_loss(lengths, heads, teacher_hidden, student_hidden):
    teacher, student = make_states(lengths, teacher_hidden, 0), make_states(lengths, student_hidden, 1)
    weights = torch.linspace(1, 0, len(lengths))  # the last one, where there are two, only fills up the batch
    loss, gradients = value_and_gradients(fused_relation_loss, teacher, student, mask_of(lengths), heads, weights)
    expected, expected_gradients = exact(teacher, student, mask_of(lengths), heads, weights)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient.float(), rtol=1e-4, atol=1e-7)


def test_random_shapes_match_the_plain_loss():
    random = torch.Generator().manual_seed(0)

    def some(low, high):
        return int(torch.randint(low, high, (), generator=random))

    for seed in range(40):
        lengths, heads = [some(1, 40) for _ in range(some(1, 6))], some(1, 9)
        teacher = make_states(lengths, heads * some(1, 20), seed)
        student = make_states(lengths, heads * some(1, 20), seed + 1)
        loss, gradients = value_and_gradients(fused_relation_loss, teacher, student, mask_of(lengths), heads)
        expected, expected_gradients = exact(teacher, student, mask_of(lengths), heads, None)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=2e-6)
        for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
            torch.testing.assert_close(gradient, expected_gradient.float(), rtol=1e-4, atol=1e-6)


def test_scores_far_apart_are_finite():
    teacher, student = ([1000 * x.detach() for x in make_states([9], 8, seed)] for seed in (0, 1))
    student = [x.requires_grad_() for x in student]
    loss, gradients = value_and_gradients(fused_relation_loss, tuple(teacher), tuple(student), mask_of([9]), 2)
    expected = exact(teacher, student, mask_of([9]), 2, None)[0]
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_loss_that_is_not_finite_stays_so():
    teacher, student = make_states([5], 8, 0), make_states([5], 8, 1)
    with torch.no_grad():
        student[1][0, 2, 3] = torch.nan
    assert not fused_relation_loss(teacher, student, mask_of([5]), 2).isfinite()


def test_padding_is_never_read():
    lengths = [6, 4, 1]
    teacher, student = make_states(lengths, 16, 0), make_states(lengths, 8, 1)
    loss, gradients = value_and_gradients(fused_relation_loss, teacher, student, mask_of(lengths), 4)
    with torch.no_grad():
        for x in (*teacher, *student):
            x[mask_of(lengths) == 0] = torch.nan
    again, gradients_again = value_and_gradients(fused_relation_loss, teacher, student, mask_of(lengths), 4)
    assert torch.equal(loss, again)
    assert all(map(torch.equal, gradients, gradients_again))
    assert gradients[0][1, 4:].abs().max() == 0


def test_the_result_does_not_depend_on_the_number_of_threads():
    lengths = [30, 29, 12, 30, 5]
    teacher, student = make_states(lengths, 48, 0), make_states(lengths, 24, 1)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(value_and_gradients(fused_relation_loss, teacher, student, mask_of(lengths), 4))
    finally:
        torch.set_num_threads(threads)
    for loss, gradients in results[1:]:
        assert torch.equal(loss, results[0][0])
        assert all(map(torch.equal, gradients, results[0][1]))


def test_gradients_have_the_precision_of_the_student():
    lengths = [12, 9]
    teacher = make_states(lengths, 16, 0, torch.bfloat16)
    student = make_states(lengths, 8, 1, torch.bfloat16)
    loss, gradients = value_and_gradients(fused_relation_loss, teacher, student, mask_of(lengths), 4)
    expected, expected_gradients = exact(teacher, student, mask_of(lengths), 4, None)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        assert gradient.dtype == torch.bfloat16
        torch.testing.assert_close(gradient.float(), expected_gradient.float(), rtol=0.005, atol=1e-6)
