"""Triton kernels of the relation loss: value and gradient of sentences that lie anywhere in a row of tokens.

The formulas are those of `fused_relations`. A program computes heads of one sentence. Heads of queries, keys and values
are counted together, because they lie side by side. Sentences of up to 64 tokens are one tile (`relation_tile`); of
longer ones, a kernel first computes the value and the logarithms of the softmax's sums (`relation_block_values`), and
a second one the gradient (`relation_block_gradients`). Scores are never written to memory, and nothing is added up in
an order that could change, so results are the same to the bit in every run.

Arguments: `T, S`, the states of teacher and student, rows of strides `t_row, s_row`; `G`, the gradient, contiguous;
`STARTS, LENGTHS, WEIGHTS` [sentences]; `heads`, those of queries, keys and values together; `DT, DS`, the widths of a
head, and `DTP, DSP`, the same filled up to a power of 2.
"""

import triton
import triton.language as tl

from textbook.training.distillation.kernel_parts import load_head, product, rounded

_MASKED = tl.constexpr(-1.0e30)


@triton.jit
def _relations(x, y, others_ok, scale):
    """Scaled products of two sets of tokens, masked where the second has none."""
    return tl.where(others_ok[None, :], product(x, tl.trans(y)) * scale, _MASKED)


@triton.jit
def relation_tile(
    T, S, G, LOSSES, STARTS, LENGTHS, WEIGHTS, t_row, s_row, g_row, scale_t, scale_s, heads,
    DT: tl.constexpr, DTP: tl.constexpr, DS: tl.constexpr, DSP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr,
    EACH: tl.constexpr,
):  # fmt: skip
    """Losses [sentences, programs] and gradients of sentences of one tile. Grid: sentences, groups of `EACH` heads."""
    sentence, group = tl.program_id(0), tl.program_id(1)
    start, length = tl.load(STARTS + sentence), tl.load(LENGTHS + sentence)
    if (length > ABOVE) & (length <= TILE):
        places = tl.arange(0, TILE)
        rows, ok = start + places, places < length
        columns = tl.arange(0, DSP)
        share = tl.load(WEIGHTS + sentence) * 3.0 / (length * heads)
        total = 0.0
        for head in range(group * EACH, tl.minimum(group * EACH + EACH, heads)):
            t = load_head(T, rows, ok, t_row, DT, head, DT, DTP)
            s = load_head(S, rows, ok, s_row, DS, head, DS, DSP)
            scores_t = _relations(t, t, ok, scale_t)
            scores_s = _relations(s, s, ok, scale_s)
            scores_t -= tl.max(scores_t, 1)[:, None]
            scores_s -= tl.max(scores_s, 1)[:, None]
            e_t, e_s = tl.exp(scores_t), tl.exp(scores_s)
            sum_t, sum_s = tl.sum(e_t, 1), tl.sum(e_s, 1)
            p_t, p_s = e_t / sum_t[:, None], e_s / sum_s[:, None]
            cross = tl.where(ok[None, :], p_t * (scores_t - scores_s), 0.0)
            total += tl.sum(tl.where(ok, tl.sum(cross, 1) - tl.log(sum_t) + tl.log(sum_s), 0.0), 0)
            d = tl.where(ok[:, None] & ok[None, :], p_s - p_t, 0.0) * (share * scale_s)
            g = product(rounded(d + tl.trans(d), s.dtype), s)
            targets = rows[:, None].to(tl.int64) * g_row + head * DS + columns[None, :]
            tl.store(G + targets, rounded(g, G.dtype.element_ty), mask=ok[:, None] & (columns[None, :] < DS))
        tl.store(LOSSES + sentence * tl.num_programs(1) + group, total * share)


@triton.jit
def relation_block_values(
    T, S, LOGS_T, LOGS_S, LOSSES, STARTS, LENGTHS, WEIGHTS, t_row, s_row, tokens, scale_t, scale_s, heads,
    DT: tl.constexpr, DTP: tl.constexpr, DS: tl.constexpr, DSP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Losses [sentences, heads, blocks] of longer sentences, and logarithms of sums, fp32 [heads, tokens]."""
    sentence, head, block = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    start, length = tl.load(STARTS + sentence), tl.load(LENGTHS + sentence)
    if (length > ABOVE) & (block * TILE < length):
        places = block * TILE + tl.arange(0, TILE)
        rows, ok = start + places, places < length
        t = load_head(T, rows, ok, t_row, DT, head, DT, DTP)
        s = load_head(S, rows, ok, s_row, DS, head, DS, DSP)
        high_t = tl.full([TILE], _MASKED, tl.float32)
        high_s = tl.full([TILE], _MASKED, tl.float32)
        sum_t = tl.zeros([TILE], tl.float32)
        sum_s = tl.zeros([TILE], tl.float32)
        cross = tl.zeros([TILE], tl.float32)
        for first in range(0, length, TILE):
            others = first + tl.arange(0, TILE)
            seen = others < length
            scores_t = _relations(t, load_head(T, start + others, seen, t_row, DT, head, DT, DTP), seen, scale_t)
            scores_s = _relations(s, load_head(S, start + others, seen, s_row, DS, head, DS, DSP), seen, scale_s)
            higher_t = tl.maximum(high_t, tl.max(scores_t, 1))
            higher_s = tl.maximum(high_s, tl.max(scores_s, 1))
            e_t = tl.exp(scores_t - higher_t[:, None])
            shrunk = tl.exp(high_t - higher_t)
            sum_t = sum_t * shrunk + tl.sum(e_t, 1)
            sum_s = sum_s * tl.exp(high_s - higher_s) + tl.sum(tl.exp(scores_s - higher_s[:, None]), 1)
            cross = cross * shrunk + tl.sum(tl.where(seen[None, :], e_t * (scores_t - scores_s), 0.0), 1)
            high_t, high_s = higher_t, higher_s
        log_t, log_s = high_t + tl.log(sum_t), high_s + tl.log(sum_s)
        tl.store(LOGS_T + head * tokens + rows, log_t, mask=ok)
        tl.store(LOGS_S + head * tokens + rows, log_s, mask=ok)
        share = tl.load(WEIGHTS + sentence) * 3.0 / (length * heads)
        total = tl.sum(tl.where(ok, cross / sum_t - log_t + log_s, 0.0), 0)
        tl.store(LOSSES + (sentence * heads + head) * tl.num_programs(2) + block, total * share)


@triton.jit
def relation_block_gradients(
    T, S, G, LOGS_T, LOGS_S, STARTS, LENGTHS, WEIGHTS, t_row, s_row, g_row, tokens, scale_t, scale_s, heads,
    DT: tl.constexpr, DTP: tl.constexpr, DS: tl.constexpr, DSP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Gradients of longer sentences. The scores are symmetric, so Dᵀ has the same scores and the sums of the others."""
    sentence, head, block = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    start, length = tl.load(STARTS + sentence), tl.load(LENGTHS + sentence)
    if (length > ABOVE) & (block * TILE < length):
        places = block * TILE + tl.arange(0, TILE)
        rows, ok = start + places, places < length
        columns = tl.arange(0, DSP)
        t = load_head(T, rows, ok, t_row, DT, head, DT, DTP)
        s = load_head(S, rows, ok, s_row, DS, head, DS, DSP)
        log_t = tl.load(LOGS_T + head * tokens + rows, mask=ok, other=0.0)
        log_s = tl.load(LOGS_S + head * tokens + rows, mask=ok, other=0.0)
        share = tl.load(WEIGHTS + sentence) * 3.0 / (length * heads)
        g = tl.zeros([TILE, DSP], tl.float32)
        for first in range(0, length, TILE):
            others = first + tl.arange(0, TILE)
            seen = others < length
            other_s = load_head(S, start + others, seen, s_row, DS, head, DS, DSP)
            scores_t = _relations(t, load_head(T, start + others, seen, t_row, DT, head, DT, DTP), seen, scale_t)
            scores_s = _relations(s, other_s, seen, scale_s)
            other_log_t = tl.load(LOGS_T + head * tokens + start + others, mask=seen, other=0.0)
            other_log_s = tl.load(LOGS_S + head * tokens + start + others, mask=seen, other=0.0)
            d = tl.exp(scores_s - log_s[:, None]) - tl.exp(scores_t - log_t[:, None])
            d += tl.exp(scores_s - other_log_s[None, :]) - tl.exp(scores_t - other_log_t[None, :])
            d = tl.where(ok[:, None] & seen[None, :], d, 0.0) * (share * scale_s)
            g += product(rounded(d, s.dtype), other_s)
        targets = rows[:, None].to(tl.int64) * g_row + head * DS + columns[None, :]
        tl.store(G + targets, rounded(g, G.dtype.element_ty), mask=ok[:, None] & (columns[None, :] < DS))
