"""Attention of packed sentences, in Triton's interpreter, is that of PyTorch, sentence by sentence."""

import pytest
import torch
import torch.nn.functional as F

from textbook.training.distillation.short_attention import short_attention

SEED = torch.tensor([1234567890123], dtype=torch.int64)


def make_states(lengths, heads, width, dtype=torch.float32, seed=0):
    torch.manual_seed(seed)
    states = torch.randn(sum(lengths), 3, heads, width).to(dtype)  # as one fused projection gives them
    return tuple(x.transpose(0, 1).requires_grad_() for x in states.unbind(1))


def starts_of(lengths):
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def plain(q, k, v, lengths, window=512):
    """The same in double precision with PyTorch's attention, one sentence at a time."""
    parts = []
    for one in zip(*(x.split(lengths, dim=1) for x in (q, k, v)), strict=True):
        places = torch.arange(one[0].shape[1])
        mask = (places[:, None] - places[None]).abs() < window
        parts.append(F.scaled_dot_product_attention(*(x.double() for x in one), attn_mask=mask))
    return torch.cat(parts, 1).transpose(0, 1)


def compare(lengths, heads, width, window=512, dtype=torch.float32, tolerance=1e-5):
    states = make_states(lengths, heads, width, dtype)
    output = short_attention(*states, starts_of(lengths), SEED, max(lengths), width**-0.5, window, 0.0)
    expected = plain(*states, lengths, window)
    outer = torch.randn_like(output)
    torch.testing.assert_close(output.double(), expected, rtol=tolerance, atol=tolerance)
    gradients = (torch.autograd.grad(x, states, outer.to(x.dtype)) for x in (output, expected))
    for gradient, right in zip(*gradients, strict=True):
        torch.testing.assert_close(gradient, right.to(dtype), rtol=tolerance, atol=2 * tolerance)


@pytest.mark.parametrize(
    ("lengths", "heads", "width"),
    [
        ([1, 16, 17, 2], 2, 32),
        ([64, 33, 5], 1, 64),
        ([65, 3], 2, 12),
        ([512, 1], 1, 16),
        ([7], 3, 4),
    ],
)
def test_attention_and_gradients_match_pytorch(lengths, heads, width):
    compare(lengths, heads, width)


def test_random_shapes_match_pytorch():
    random = torch.Generator().manual_seed(0)

    def some(low, high):
        return int(torch.randint(low, high, (), generator=random))

    for number in range(6):
        longest = (17, 40, 130)[number % 3]
        compare([some(1, longest) for _ in range(some(1, 4))], some(1, 3), some(4, 65))


@pytest.mark.parametrize("lengths", [[20, 9], [70]])
def test_tokens_outside_the_window_are_not_seen(lengths):
    compare(lengths, 2, 16, window=9)


def test_bf16_matches_within_its_precision():
    compare([21, 70, 3], 1, 32, dtype=torch.bfloat16, tolerance=2e-2)


def test_empty_sentences_change_nothing():
    lengths = [5, 0, 18, 0]
    states = make_states(lengths, 2, 16)
    output = short_attention(*states, starts_of(lengths), SEED, 18, 0.25, 512, 0.0)
    torch.testing.assert_close(output.double(), plain(*states, [5, 18]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lengths", [[30, 9], [100]])
def test_dropout_drops_its_share_and_the_backward_pass_drops_the_same(lengths):
    """With values that are a one-hot of their place, the output is the dropped attention itself."""
    longest, total, drop = max(lengths), sum(lengths), 0.3
    q, k, _ = make_states(lengths, 2, 128)
    v = torch.zeros(2, total, 128)
    places = torch.cat([torch.arange(length) for length in lengths])
    v[:, torch.arange(total), places] = 1
    v.requires_grad_()
    arguments = (starts_of(lengths), SEED, longest, 128**-0.5, 512)
    dropped = short_attention(q, k, v, *arguments, drop)
    whole = short_attention(q, k, v, *arguments, 0.0)
    attention = whole.detach() > 0
    kept = (dropped > 0) & attention
    share = 1 - kept.sum() / attention.sum()
    assert share.item() == pytest.approx(drop, abs=0.04)
    torch.testing.assert_close(dropped[kept], whole[kept] / (1 - drop))
    assert not torch.equal(kept[:, 0], kept[:, 1])  # each head has a mask of its own
    # The output is linear in the values, and the gradient of the scores that of the fixed mask.
    outer = torch.randn_like(dropped)
    expected = mask_attention(q, k, v, lengths, kept / (1 - drop))
    for gradient, right in zip(
        torch.autograd.grad(dropped, (q, k, v), outer), torch.autograd.grad(expected, (q, k, v), outer), strict=True
    ):
        torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-4)
    again = short_attention(q, k, v, *arguments, drop)
    other = short_attention(q, k, v, arguments[0], SEED + 1000, *arguments[2:], drop)
    assert torch.equal(dropped, again)
    assert not torch.equal(dropped, other)


def mask_attention(q, k, v, lengths, mask):
    """Attention whose weights are multiplied by a mask [tokens, heads, places]."""
    parts = []
    for one in zip(*(x.split(lengths, dim=1) for x in (q, k, v)), mask.split(lengths), strict=True):
        weights = (one[0] @ one[1].transpose(1, 2) * one[0].shape[2] ** -0.5).softmax(-1)
        parts.append(weights * one[3].transpose(0, 1)[:, :, : one[0].shape[1]] @ one[2])
    return torch.cat(parts, 1).transpose(0, 1)


def test_every_token_is_written():
    """PyTorch fills memory that is not initialised with NaN in this mode."""
    lengths = [16, 17, 65, 1, 0]
    states = make_states(lengths, 1, 16)
    torch.use_deterministic_algorithms(True)
    try:
        output = short_attention(*states, starts_of(lengths), SEED, 65, 0.25, 512, 0.1)
        gradients = torch.autograd.grad(output.sum(), states)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(x.isfinite().all() for x in (output, *gradients))
