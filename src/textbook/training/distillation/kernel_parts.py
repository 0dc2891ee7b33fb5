"""Parts of Triton kernels: reading a head of some tokens, rounding, and matrix products."""

import os

import triton
import triton.language as tl

_INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
def load_head(X, rows, rows_ok, token_stride, head_stride, head, D: tl.constexpr, DP: tl.constexpr):
    """The tokens `rows` of one head of `D` numbers, [rows, DP], filled up with zeros."""
    columns = tl.arange(0, DP)
    places = rows[:, None].to(tl.int64) * token_stride + head * head_stride + columns[None, :]
    return tl.load(X + places, mask=rows_ok[:, None] & (columns[None, :] < D), other=0.0)


@triton.jit
def rounded(x, dtype: tl.constexpr):
    """An fp32 tile in the precision `dtype`, rounded to the nearest."""
    if _INTERPRETED and dtype == tl.bfloat16:  # Triton's interpreter cuts off the bits that bf16 does not have
        bits = x.to(tl.int32, bitcast=True)
        bits += 32767 + ((bits >> 16) & 1)
        x = (bits & -65536).to(tl.float32, bitcast=True)
    return x.to(dtype)


@triton.jit
def product(a, b):
    """The matrix product of two tiles in fp32: exact for bf16, and without TF32 for fp32."""
    if _INTERPRETED:  # Triton's interpreter multiplies the bits of bf16 as if they were numbers
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, input_precision="ieee")
