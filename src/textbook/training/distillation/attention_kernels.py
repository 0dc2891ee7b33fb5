"""Triton kernels of attention over sentences that lie end to end. No score is ever written to memory.

A program computes one sentence and head. Up to 64 tokens are one tile, whose size suits the length (`tile_…`); longer
sentences are computed in blocks (`block_…`), with the softmax accumulated over blocks as in FlashAttention (Dao et al.
2022). Every kernel is launched for all sentences, and programs of sentences of other lengths stop at once.

The dropout mask is a function of a seed, the head and the position, so the backward pass repeats it.

Arguments that many kernels have: `Q, K, V` of token strides `…t` and head strides `…h`; `OUT` and the gradients,
contiguous [tokens, heads, D]; `STARTS` [sentences + 1]; `SEED` [1]; `window`, of which a pair of tokens must be less
apart; `drop`, the dropout probability; `DP`, the head width `D` filled up to a power of 2; `ABOVE`, the length up to
which a smaller tile does.
"""

import triton
import triton.language as tl

from textbook.training.distillation.kernel_parts import load_head, product, rounded

_MASKED = tl.constexpr(-1.0e30)  # finite, so that a block in which all pairs are masked gives no NaN


@triton.jit
def _store(X, values, rows, rows_ok, heads, head, D: tl.constexpr, DP: tl.constexpr):
    """Write [rows, DP] to a contiguous tensor [tokens, heads, D]."""
    columns = tl.arange(0, DP)
    places = (rows[:, None].to(tl.int64) * heads + head) * D + columns[None, :]
    tl.store(X + places, rounded(values, X.dtype.element_ty), mask=rows_ok[:, None] & (columns[None, :] < D))


@triton.jit
def _scores(q, k, places, others, length, scale, window):
    """Scaled products of the tokens at `places` and `others` of a sentence, masked outside of it and of the window."""
    apart = places[:, None] - others[None, :]
    seen = (others[None, :] < length) & (apart < window) & (apart > -window)
    return tl.where(seen, product(q, tl.trans(k)) * scale, _MASKED)


@triton.jit
def _dropped(x, seed, head, rows, others, drop):
    """Set numbers [rows, others] to 0 with probability `drop`, and divide the others by 1 - drop."""
    kept = tl.rand(seed + head, rows[:, None] * 512 + others[None, :]) >= drop
    return tl.where(kept, x / (1.0 - drop), 0.0)


@triton.jit
def tile_forward(
    Q, K, V, OUT, STARTS, SEED, qt, qh, kt, kh, vt, vh, heads, scale, window, drop,
    D: tl.constexpr, DP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """Attention of sentences of one tile. Grid: sentences, heads."""
    sentence, head = tl.program_id(0), tl.program_id(1)
    start = tl.load(STARTS + sentence)
    length = tl.load(STARTS + sentence + 1) - start
    if (length > ABOVE) & (length <= TILE):
        places = tl.arange(0, TILE)
        rows, ok = start + places, places < length
        q = load_head(Q, rows, ok, qt, qh, head, D, DP)
        k = load_head(K, rows, ok, kt, kh, head, D, DP)
        v = load_head(V, rows, ok, vt, vh, head, D, DP)
        scores = _scores(q, k, places, places, length, scale, window)
        e = tl.exp(scores - tl.max(scores, 1)[:, None])
        p = e / tl.sum(e, 1)[:, None]
        if DROPS:
            p = _dropped(p, tl.load(SEED), head, rows, places, drop)
        _store(OUT, product(rounded(p, v.dtype), v), rows, ok, heads, head, D, DP)


@triton.jit
def tile_backward(
    Q, K, V, DO, DQ, DK, DV, STARTS, SEED, qt, qh, kt, kh, vt, vh, heads, scale, window, drop,
    D: tl.constexpr, DP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """Gradients of sentences of one tile, from that of the output, `DO`. Grid: sentences, heads."""
    sentence, head = tl.program_id(0), tl.program_id(1)
    start = tl.load(STARTS + sentence)
    length = tl.load(STARTS + sentence + 1) - start
    if (length > ABOVE) & (length <= TILE):
        places = tl.arange(0, TILE)
        rows, ok = start + places, places < length
        q = load_head(Q, rows, ok, qt, qh, head, D, DP)
        k = load_head(K, rows, ok, kt, kh, head, D, DP)
        v = load_head(V, rows, ok, vt, vh, head, D, DP)
        do = load_head(DO, rows, ok, heads * D, D, head, D, DP)
        scores = _scores(q, k, places, places, length, scale, window)
        e = tl.exp(scores - tl.max(scores, 1)[:, None])
        p = tl.where(ok[:, None], e / tl.sum(e, 1)[:, None], 0.0)
        used, dp = p, product(do, tl.trans(v))
        if DROPS:
            seed = tl.load(SEED)
            used = _dropped(p, seed, head, rows, places, drop)
            dp = _dropped(dp, seed, head, rows, places, drop)
        ds = rounded(p * (dp - tl.sum(p * dp, 1)[:, None]) * scale, q.dtype)
        dv = product(tl.trans(rounded(used, do.dtype)), do)
        _store(DV, dv, rows, ok, heads, head, D, DP)
        _store(DQ, product(ds, k), rows, ok, heads, head, D, DP)
        _store(DK, product(tl.trans(ds), q), rows, ok, heads, head, D, DP)


@triton.jit
def block_forward(
    Q, K, V, OUT, STARTS, SEED, qt, qh, kt, kh, vt, vh, heads, scale, window, drop,
    D: tl.constexpr, DP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """Attention of longer sentences, for one block of queries. Grid: sentences, heads, blocks."""
    sentence, head = tl.program_id(0), tl.program_id(1)
    start = tl.load(STARTS + sentence)
    length = tl.load(STARTS + sentence + 1) - start
    places = tl.program_id(2) * TILE + tl.arange(0, TILE)
    if (length > ABOVE) & (tl.program_id(2) * TILE < length):
        rows, ok = start + places, places < length
        q = load_head(Q, rows, ok, qt, qh, head, D, DP)
        highest = tl.full([TILE], _MASKED, tl.float32)
        total = tl.zeros([TILE], tl.float32)
        context = tl.zeros([TILE, DP], tl.float32)
        for first in range(0, length, TILE):
            others = first + tl.arange(0, TILE)
            k = load_head(K, start + others, others < length, kt, kh, head, D, DP)
            v = load_head(V, start + others, others < length, vt, vh, head, D, DP)
            scores = _scores(q, k, places, others, length, scale, window)
            higher = tl.maximum(highest, tl.max(scores, 1))
            e = tl.exp(scores - higher[:, None])
            shrunk = tl.exp(highest - higher)
            total = total * shrunk + tl.sum(e, 1)
            if DROPS:
                e = _dropped(e, tl.load(SEED), head, rows, others, drop)
            context = context * shrunk[:, None] + product(rounded(e, v.dtype), v)
            highest = higher
        _store(OUT, context / total[:, None], rows, ok, heads, head, D, DP)


@triton.jit
def block_backward_queries(
    Q, K, V, DO, DQ, LOGS, DELTAS, STARTS, SEED, qt, qh, kt, kh, vt, vh, heads, tokens, scale, window, drop,
    D: tl.constexpr, DP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """Gradient of a block of queries of a longer sentence. Grid: sentences, heads, blocks.

    Also writes what `block_backward_keys` needs, fp32 [heads, tokens]: `LOGS`, the logarithm of the softmax's sum, and
    `DELTAS`, the mean of the gradients of a token's attention weights, weighted with the attention.
    """
    sentence, head = tl.program_id(0), tl.program_id(1)
    start = tl.load(STARTS + sentence)
    length = tl.load(STARTS + sentence + 1) - start
    places = tl.program_id(2) * TILE + tl.arange(0, TILE)
    if (length > ABOVE) & (tl.program_id(2) * TILE < length):
        rows, ok = start + places, places < length
        q = load_head(Q, rows, ok, qt, qh, head, D, DP)
        do = load_head(DO, rows, ok, heads * D, D, head, D, DP)
        highest = tl.full([TILE], _MASKED, tl.float32)
        total = tl.zeros([TILE], tl.float32)
        delta = tl.zeros([TILE], tl.float32)
        for first in range(0, length, TILE):
            others = first + tl.arange(0, TILE)
            k = load_head(K, start + others, others < length, kt, kh, head, D, DP)
            v = load_head(V, start + others, others < length, vt, vh, head, D, DP)
            scores = _scores(q, k, places, others, length, scale, window)
            dp = product(do, tl.trans(v))
            if DROPS:
                dp = _dropped(dp, tl.load(SEED), head, rows, others, drop)
            higher = tl.maximum(highest, tl.max(scores, 1))
            e = tl.exp(scores - higher[:, None])
            shrunk = tl.exp(highest - higher)
            total = total * shrunk + tl.sum(e, 1)
            delta = delta * shrunk + tl.sum(e * dp, 1)
            highest = higher
        log, delta = highest + tl.log(total), delta / total
        tl.store(LOGS + head * tokens + rows, log, mask=ok)
        tl.store(DELTAS + head * tokens + rows, delta, mask=ok)
        dq = tl.zeros([TILE, DP], tl.float32)
        for first in range(0, length, TILE):
            others = first + tl.arange(0, TILE)
            k = load_head(K, start + others, others < length, kt, kh, head, D, DP)
            v = load_head(V, start + others, others < length, vt, vh, head, D, DP)
            scores = _scores(q, k, places, others, length, scale, window)
            dp = product(do, tl.trans(v))
            if DROPS:
                dp = _dropped(dp, tl.load(SEED), head, rows, others, drop)
            ds = rounded(tl.exp(scores - log[:, None]) * (dp - delta[:, None]) * scale, k.dtype)
            dq += product(ds, k)
        _store(DQ, dq, rows, ok, heads, head, D, DP)


@triton.jit
def block_backward_keys(
    Q, K, V, DO, DK, DV, LOGS, DELTAS, STARTS, SEED, qt, qh, kt, kh, vt, vh, heads, tokens, scale, window, drop,
    D: tl.constexpr, DP: tl.constexpr, ABOVE: tl.constexpr, TILE: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """Gradients of a block of keys and values of a longer sentence. Grid: sentences, heads, blocks."""
    sentence, head = tl.program_id(0), tl.program_id(1)
    start = tl.load(STARTS + sentence)
    length = tl.load(STARTS + sentence + 1) - start
    others = tl.program_id(2) * TILE + tl.arange(0, TILE)
    if (length > ABOVE) & (tl.program_id(2) * TILE < length):
        ok = others < length
        k = load_head(K, start + others, ok, kt, kh, head, D, DP)
        v = load_head(V, start + others, ok, vt, vh, head, D, DP)
        dk = tl.zeros([TILE, DP], tl.float32)
        dv = tl.zeros([TILE, DP], tl.float32)
        for first in range(0, length, TILE):
            places = first + tl.arange(0, TILE)
            rows, rows_ok = start + places, places < length
            q = load_head(Q, rows, rows_ok, qt, qh, head, D, DP)
            do = load_head(DO, rows, rows_ok, heads * D, D, head, D, DP)
            log = tl.load(LOGS + head * tokens + rows, mask=rows_ok, other=0.0)
            delta = tl.load(DELTAS + head * tokens + rows, mask=rows_ok, other=0.0)
            scores = _scores(q, k, places, others, length, scale, window)
            p = tl.where(rows_ok[:, None], tl.exp(scores - log[:, None]), 0.0)
            used, dp = p, product(do, tl.trans(v))
            if DROPS:
                seed = tl.load(SEED)
                used = _dropped(p, seed, head, rows, others, drop)
                dp = _dropped(dp, seed, head, rows, others, drop)
            ds = rounded(p * (dp - delta[:, None]) * scale, q.dtype)
            dk += product(tl.trans(ds), q)
            dv += product(tl.trans(rounded(used, do.dtype)), do)
        _store(DK, dk, start + others, ok, heads, head, D, DP)
        _store(DV, dv, start + others, ok, heads, head, D, DP)
