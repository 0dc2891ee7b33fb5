"""The relation loss in Triton's kernels, in its interpreter, is the plain one, in value and gradient."""

import pytest
import torch

from textbook.training.distillation.packed_relations import Sentences, packed_relation_loss
from textbook.training.distillation.relations import relation_loss


def make_states(tokens, hidden, seed, dtype=torch.float32):
    torch.manual_seed(seed)
    return torch.randn(tokens, 3 * hidden).to(dtype).requires_grad_()


def packed(lengths, weights):
    return Sentences.packed(torch.tensor([0, *lengths]).cumsum(0).to(torch.int32), weights, max(lengths))


def exact(teacher, student, lengths, heads, weights):
    """The plain loss of each sentence in double precision; sentences of no token have none."""
    teacher, student = (x.detach().double().requires_grad_() for x in (teacher, student))
    total = torch.zeros((), dtype=torch.float64)
    for t, s, weight in zip(teacher.split(lengths), student.split(lengths), weights.double(), strict=True):
        if len(t):
            qkv = (x[None].chunk(3, dim=2) for x in (t, s))
            total = total + relation_in_double(*qkv, heads) * weight
    return total, torch.autograd.grad(total, student)[0]


def relation_in_double(teacher, student, heads):
    """`relation_loss` computes scores in fp32; this is its definition in double precision."""
    total = 0
    for t, s in zip(teacher, student, strict=True):
        logs = []
        for x in (t, s):
            x = x.reshape(x.shape[1], heads, -1).transpose(0, 1)
            logs.append((x @ x.transpose(1, 2) * x.shape[2] ** -0.5).log_softmax(-1))
        total = total + (logs[0].exp() * (logs[0] - logs[1])).sum(-1).mean()
    return total


def compare(lengths, heads, teacher_width, student_width, seed=0, dtype=torch.float32):
    teacher = make_states(sum(lengths), heads * teacher_width, seed, dtype)
    student = make_states(sum(lengths), heads * student_width, seed + 1, dtype)
    weights = torch.rand(len(lengths), generator=torch.Generator().manual_seed(seed))
    loss = packed_relation_loss(teacher, student, packed(lengths, weights), heads)
    (gradient,) = torch.autograd.grad(loss, student)
    expected, right = exact(teacher, student, lengths, heads, weights)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    assert gradient.dtype == dtype
    error = ((gradient.double() - right).norm() / right.norm().clamp_min(1e-6)).item()
    assert error < (1e-4 if dtype == torch.float32 else 5e-3)


@pytest.mark.parametrize(
    ("lengths", "heads", "teacher_width", "student_width"),
    [
        ([21, 20, 18, 2], 4, 16, 6),
        ([1, 1], 1, 4, 4),
        ([16, 17, 1], 3, 5, 33),
        ([64, 9], 5, 16, 6),
        ([64, 3], 1, 64, 64),
        ([512, 3, 0], 1, 8, 4),
        ([65], 1, 20, 12),
    ],
)
def test_value_and_gradient_match_the_definition(lengths, heads, teacher_width, student_width):
    compare(lengths, heads, teacher_width, student_width)


def test_random_shapes_match_the_definition():
    random = torch.Generator().manual_seed(0)

    def some(low, high):
        return int(torch.randint(low, high, (), generator=random))

    for seed in range(6):
        longest = (17, 40, 80)[seed % 3]
        compare([some(1, longest) for _ in range(some(1, 4))], some(1, 4), some(4, 65), some(4, 65), seed)


@pytest.mark.parametrize("lengths", [[21, 5], [70]])
def test_gradients_in_bf16_are_exact_within_half_a_percent(lengths):
    compare(lengths, 2, 16, 6, dtype=torch.bfloat16)


def test_a_padded_batch_has_the_plain_loss_and_padding_no_gradient():
    lengths, heads = torch.tensor([7, 20, 1]), 4
    mask = (torch.arange(24) < lengths[:, None]).long()
    teacher, student = make_states(3 * 24, 16, 0), make_states(3 * 24, 8, 1)
    weights = torch.tensor([0.5, 0.3, 0.0])
    loss = packed_relation_loss(teacher, student, Sentences.padded(mask, weights), heads)
    expected = relation_loss(*(x.view(3, 24, -1).chunk(3, dim=2) for x in (teacher, student)), mask, heads, weights)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    gradient, right = (torch.autograd.grad(x, student)[0] for x in (loss, expected))
    torch.testing.assert_close(gradient, right, rtol=1e-3, atol=1e-7)
    assert gradient.view(3, 24, -1)[mask == 0].abs().max() == 0


def test_a_loss_that_is_not_finite_stays_so():
    for lengths in ([5, 3], [70]):
        teacher, student = make_states(sum(lengths), 8, 0), make_states(sum(lengths), 8, 1)
        with torch.no_grad():
            student[2, 3] = torch.nan
        weights = torch.full((len(lengths),), 0.5)
        assert not packed_relation_loss(teacher, student, packed(lengths, weights), 2).isfinite()


def test_scores_far_apart_are_finite():
    for lengths in ([9], [70]):
        teacher, student = ((1000 * make_states(sum(lengths), 8, seed)).detach() for seed in (0, 1))
        student.requires_grad_()
        loss = packed_relation_loss(teacher, student, packed(lengths, torch.ones(1)), 2)
        expected = exact(teacher, student, lengths, 2, torch.ones(1))[0]
        torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=0)
        assert torch.autograd.grad(loss, student)[0].isfinite().all()


def test_heads_that_are_too_wide_are_refused():
    states = make_states(4, 200, 0)
    with pytest.raises(ValueError, match="widths of 200 and 200: at most 128"):
        packed_relation_loss(states, states, packed([4], torch.ones(1)), 1)
