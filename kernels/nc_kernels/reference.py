"""The kernels as formulas, in NumPy: what every other backend is held against.

Every backend has these functions and writes to results that are given. bfloat16, which NumPy lacks, is passed as its
bits in uint16.
"""

import numpy as np

from nc_kernels.memory import Array


def blend(images: Array, masks: Array, patterns: Array, scale: Array, offset: Array, out: Array) -> None:
    """out (L,B,C,H,W) = ((1 - m) x + m pattern) scale + offset."""
    x, m, p = images[None], masks[:, None], patterns[:, None]
    with np.errstate(invalid="ignore"):  # 0 times infinity is NaN, which is the answer
        _store(((1 - m) * x + m * p) * _per_channel(scale) + _per_channel(offset), out)


def blend_backward(
    grad: Array,
    images: Array,
    masks: Array,
    patterns: Array,
    scale: Array,
    grad_masks: Array,
    grad_patterns: Array,
) -> None:
    """Gradients (L,1,H,W) and (L,C,H,W) of `blend` for grad (L,B,C,H,W) of its output."""
    g, x, p = _load(grad, masks.dtype) * _per_channel(scale), images[None], patterns[:, None]
    with np.errstate(invalid="ignore"):
        grad_masks[...] = (g * (p - x)).sum(axis=(1, 2))[:, None]
        grad_patterns[...] = masks * g.sum(axis=1)


def mad(values: Array, median: Array, deviation: Array) -> None:
    """Median and median absolute deviation of each row of values (rows, N)."""
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is the answer
        median[...] = np.median(values, axis=1)
        deviation[...] = np.median(np.abs(values - median[:, None]), axis=1)


def _per_channel(vector: Array) -> Array:
    return vector[:, None, None]


def _store(values: Array, out: Array) -> None:
    with np.errstate(over="ignore"):  # too large for float16 is infinite
        if out.dtype == np.float64:
            out[...] = values
            return
        singles = values.astype(np.float32)
        if out.dtype != np.uint16:
            out[...] = singles
            return
    bits = singles.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> 16
    out[...] = np.where(np.isnan(singles), np.uint32(0x7FC0), rounded)


def _load(values: Array, dtype: np.dtype) -> Array:
    if values.dtype == np.uint16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(dtype)
