"""The kernels as formulas, in NumPy: what every other backend is held against."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def blend(images: Array, masks: Array, patterns: Array, scale: Array, offset: Array, out: Array) -> None:
    """out (L,B,C,H,W) = ((1 - m) x + m pattern) scale + offset."""
    x, m, p = images[None], masks[:, None], patterns[:, None]
    out[...] = ((1 - m) * x + m * p) * _per_channel(scale) + _per_channel(offset)


def blend_backward(grad: Array, images: Array, masks: Array, patterns: Array, scale: Array) -> tuple[Array, Array]:
    """Gradients (L,1,H,W) and (L,C,H,W) of `blend` for grad (L,B,C,H,W) of its output."""
    g, x, p = grad.astype(masks.dtype) * _per_channel(scale), images[None], patterns[:, None]
    grad_masks = (g * (p - x)).sum(axis=(1, 2))[:, None]
    grad_patterns = masks * g.sum(axis=1)
    return grad_masks, grad_patterns


def mad(values: Array) -> tuple[Array, Array]:
    """Median and median absolute deviation of each row of values (rows, N)."""
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is the answer
        median = np.median(values, axis=1)
        return median, np.median(np.abs(values - median[:, None]), axis=1)


def _per_channel(vector: Array) -> Array:
    return vector[:, None, None]
