"""The relation loss on a CPU: value and gradient in one pass over each sentence, without its padding.

Scores never leave the cache, and only those of pairs i <= j are computed, because X Xᵀ is symmetric. With s = X Xᵀ /
sqrt(d), P the softmax of s, and log Z its logarithm of sums, for a sentence of L tokens and A relation heads

    KL = sum P_t (s_t - s_s) - log Z_t + log Z_s
    D = weight / (L A) (P_s - P_t)
    dKL / dX_s = (D + Dᵀ) X_s / sqrt(d_s)

The pairs of a sentence are stored by their distance o = j - i, and within it by token and head. Everything is then an
operation on two long vectors, one of which begins o tokens later.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from textbook.training.distillation.relations import Qkv

_PARTS = 8  # parts of a batch for each thread
_F = np.float32
_fast = njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
Floats = NDArray[np.float32]


def fused_relation_loss(
    teacher: Qkv, student: Qkv, mask_BL: Tensor, heads: int, weights_B: Tensor | None = None
) -> Tensor:
    """As `relation_loss`, for tensors on the CPU whose padding is at the end of each sentence.

    Computed in fp32, whatever the precision of the states. The result does not depend on the number of threads.
    """
    lengths_B = mask_BL.sum(1)
    if weights_B is None:
        weights_B = torch.full((len(lengths_B),), 1 / len(lengths_B))
    loss: Tensor = _FusedLoss.apply(heads, lengths_B, weights_B, *teacher, *student)  # type: ignore[no-untyped-call]
    return loss


class _FusedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, heads: int, lengths_B: Tensor, weights_B: Tensor, *states: Tensor) -> Tensor:
        teacher, student = (tuple(map(_as_array, qkv)) for qkv in (states[:3], states[3:]))
        gradients = tuple(np.empty_like(x) for x in student)
        lengths, weights = lengths_B.numpy(), weights_B.numpy()
        losses = np.empty(3 * len(lengths))
        threads = torch.get_num_threads()
        parts = iter(
            np.array_split(np.arange(len(losses)), _PARTS * threads)
        )  # threads take turns: a busy one takes few

        def work() -> None:
            for part in parts:
                _loss_and_gradient(part, teacher, student, lengths, weights, heads, gradients, losses)

        helpers = [_pool(threads).submit(work) for _ in range(threads - 1)]
        work()
        for helper in helpers:
            helper.result()
        ctx.save_for_backward(*(torch.from_numpy(x).to(states[3].dtype) for x in gradients))
        return torch.tensor(losses.sum(), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return (None,) * 6 + tuple(gradient * outer[0].to(gradient.dtype) for gradient in ctx.saved_tensors)


def _as_array(states: Tensor) -> Floats:
    array: Floats = states.detach().float().contiguous().numpy()
    return array


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, threads - 1), "relations")


@_fast
def _loss_and_gradient(
    places: NDArray[np.int64],
    teacher: Sequence[Floats],
    student: Sequence[Floats],
    lengths: NDArray[np.int64],
    weights: Floats,
    heads: int,
    gradients: Sequence[Floats],
    losses: NDArray[np.float64],
) -> None:
    """The losses and gradients of some places: place r * B + n is relation r (Q, K or V) of sentence n.

    Args:
        teacher, student: three arrays [B, L, H].
        lengths, weights: [B].
        gradients, losses: outputs, shaped like `student` and [3 B].
    """
    width_t, width_s = teacher[0].shape[2] // heads, student[0].shape[2] // heads
    scale_t, scale_s = _F(width_t**-0.5), _F(width_s**-0.5)
    for place in places:
        relation, row = place // len(lengths), place % len(lengths)
        length = lengths[row]
        flat = length * heads
        x_t = _transposed(teacher[relation][row], length, heads, width_t)
        x_s = _transposed(student[relation][row], length, heads, width_s)
        size = flat * (length + 1) // 2
        # Relations of i to i + o, and of i + o to i: first shifted logits, then their exponentials.
        ahead_t, ahead_s = np.empty(size, _F), np.empty(size, _F)
        back_t, back_s = np.empty(size, _F), np.empty(size, _F)
        high_t, high_s = np.full(flat, _F(-3e38)), np.full(flat, _F(-3e38))
        _scores(x_t, scale_t, length, heads, ahead_t, high_t)
        _scores(x_s, scale_s, length, heads, ahead_s, high_s)
        sum_t, sum_s, cross = np.zeros(flat, _F), np.zeros(flat, _F), np.zeros(flat, _F)
        difference, bits = np.empty(flat, _F), np.empty(flat, np.int32)
        start = 0
        for shift in range(0, flat, heads):
            count = flat - shift
            a_t, a_s = ahead_t[start : start + count], ahead_s[start : start + count]
            b_t, b_s = back_t[start : start + count], back_s[start : start + count]
            start += count
            later_t, later_s = high_t[shift:], high_s[shift:]
            for n in range(count):
                difference[n] = a_t[n] - a_s[n]
                b_t[n] = a_t[n] - later_t[n]
                b_s[n] = a_s[n] - later_s[n]
                a_t[n] -= high_t[n]
                a_s[n] -= high_s[n]
            _exponentials(a_t, bits)
            _exponentials(a_s, bits)
            _add(a_t, a_s, difference, sum_t, sum_s, cross)
            if shift:
                _exponentials(b_t, bits)
                _exponentials(b_s, bits)
                _add(b_t, b_s, difference, sum_t[shift:], sum_s[shift:], cross[shift:])
        share = weights[row] / _F(flat)
        total = 0.0
        for n in range(flat):
            total += cross[n] / sum_t[n] - math.log(sum_t[n]) - high_t[n] + math.log(sum_s[n]) + high_s[n]
            sum_t[n] = share * scale_s / sum_t[n]
            sum_s[n] = share * scale_s / sum_s[n]
        losses[place] = total * share
        gradient = np.zeros_like(x_s)
        start = 0
        for shift in range(0, flat, heads):
            count = flat - shift
            a_t, a_s = ahead_t[start : start + count], ahead_s[start : start + count]
            b_t, b_s = back_t[start : start + count], back_s[start : start + count]
            start += count
            later_t, later_s = sum_t[shift:], sum_s[shift:]
            if shift:
                for n in range(count):  # D + Dᵀ takes the place of the student's relations
                    a_s[n] = a_s[n] * sum_s[n] - a_t[n] * sum_t[n] + b_s[n] * later_s[n] - b_t[n] * later_t[n]
            else:
                for n in range(count):
                    a_s[n] = _F(2) * (a_s[n] * sum_s[n] - a_t[n] * sum_t[n])
            for k in range(0, len(gradient), 2):
                _add_products(a_s, x_s[k, shift:], x_s[k + 1, shift:], gradient[k], gradient[k + 1])
                if shift:
                    _add_products(a_s, x_s[k], x_s[k + 1], gradient[k, shift:], gradient[k + 1, shift:])
        target = gradients[relation][row]
        target[length:] = _F(0)
        for i in range(length):
            for head in range(heads):
                for k in range(width_s):
                    target[i, head * width_s + k] = gradient[k, i * heads + head]


@_fast
def _transposed(states: Floats, length: int, heads: int, width: int) -> Floats:
    """States [L, A D] as [D, L A]; D is filled up with zeros to a multiple of 4."""
    result = np.zeros((-(-width // 4) * 4, length * heads), _F)
    for i in range(length):
        for head in range(heads):
            for k in range(width):
                result[k, i * heads + head] = states[i, head * width + k]
    return result


@_fast
def _scores(x: Floats, scale: np.float32, length: int, heads: int, scores: Floats, high: Floats) -> None:
    """The scaled products of all pairs by distance, and the highest of each token and head.

    Args:
        x: [D, L A].
        scores, high: outputs [L (L + 1) / 2 A] and [L A].
    """
    flat, start = length * heads, 0
    for shift in range(0, flat, heads):
        count = flat - shift
        out = scores[start : start + count]
        start += count
        out[:] = _F(0)
        for k in range(0, len(x), 4):
            a, b, c, d = x[k], x[k + 1], x[k + 2], x[k + 3]
            e, f, g, h = x[k, shift:], x[k + 1, shift:], x[k + 2, shift:], x[k + 3, shift:]
            for n in range(count):
                out[n] += scale * (a[n] * e[n] + b[n] * f[n] + c[n] * g[n] + d[n] * h[n])
        later = high[shift:]
        for n in range(count):
            high[n] = max(high[n], out[n])
        for n in range(count):
            later[n] = max(later[n], out[n])


@_fast
def _exponentials(x: Floats, bits: NDArray[np.int32]) -> None:
    """Replace x <= 0 by e^x: two to a whole number, put together from its bits, times a polynomial of degree 5."""
    power = bits.view(np.float32)
    for n in range(len(x)):
        y = max(x[n], _F(-80)) * _F(1.4426950408889634)
        whole = np.floor(y)
        rest = y - whole
        p = _F(1.8775767e-3)
        p = p * rest + _F(8.9893397e-3)
        p = p * rest + _F(5.5826318e-2)
        p = p * rest + _F(2.4015361e-1)
        p = p * rest + _F(6.9315308e-1)
        x[n] = p * rest + _F(9.9999994e-1)
        bits[n] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    for n in range(len(x)):
        x[n] *= power[n]


@_fast
def _add(e_t: Floats, e_s: Floats, difference: Floats, sum_t: Floats, sum_s: Floats, cross: Floats) -> None:
    for n in range(len(e_t)):
        sum_t[n] += e_t[n]
        sum_s[n] += e_s[n]
        cross[n] += e_t[n] * difference[n]


@_fast
def _add_products(d: Floats, x: Floats, y: Floats, to_x: Floats, to_y: Floats) -> None:
    for n in range(len(d)):
        to_x[n] += d[n] * x[n]
        to_y[n] += d[n] * y[n]
