"""How results are allocated and how the kernels see an image in memory."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ALIGNMENT = 64


def empty(shape: tuple[int, ...], dtype: Any, channels_last: bool) -> Array:
    """Uninitialised (..., C, H, W) on a cache line; channels_last stores the channels innermost.

    NumPy asks the system for huge pages, PyTorch does not: touching a fresh 200 MB result costs 10 ms instead of 80.
    """
    stored = (*shape[:-3], *shape[-2:], shape[-3]) if channels_last else shape
    size = prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    array = raw[start : start + size].view(dtype).reshape(stored)
    return np.moveaxis(array, -1, -3) if channels_last else array


def runs(array: Any) -> Any:
    """(..., C, H, W) as runs of memory: (..., C, H*W) if planar, (..., 1, H*W*C) if channels last.

    Works on NumPy and CuPy arrays. A view where the array is in one of the two layouts, else a planar copy.
    """
    *outer, channels, height, width = array.shape
    last = array.transpose((*range(array.ndim - 3), array.ndim - 2, array.ndim - 1, array.ndim - 3))
    if last.flags.c_contiguous and not array.flags.c_contiguous:
        return last.reshape(*outer, 1, height * width * channels)
    return contiguous(array).reshape(*outer, channels, height * width)


def contiguous(array: Any) -> Any:
    return array if array.flags.c_contiguous else array.copy(order="C")
