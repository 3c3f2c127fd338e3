"""From images to a model's input: scaled, laid out in memory, and in its type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nc_scan.results import ChannelOrder, FloatArray, Layout


def encode(
    images: FloatArray,
    *,
    scale: Sequence[float],
    offset: Sequence[float],
    layout: Layout,
    dtype: str,
    order: ChannelOrder = "RGB",
) -> NDArray[Any]:
    """Images (N, C, H, W) as a model reads them, which are in [0, 1], as feature vectors (N, 1, 1, features) are.

    Scale and offset hold one value a channel, or one a feature.
    """
    factor, shift = (along(values, layout) for values in (scale, offset))
    values = to_layout(images * factor + shift, layout, order)
    if np.issubdtype(np.dtype(dtype), np.integer):
        values = values.round()
    return np.ascontiguousarray(values, dtype=dtype)


def along(values: Sequence[float], layout: Layout) -> FloatArray:
    """One value a channel, (C, 1, 1), or a feature, (1, 1, features), to be multiplied with images."""
    return np.array(values, np.float32).reshape((1, 1, -1) if layout == "features" else (-1, 1, 1))


def to_layout(images: Any, layout: Layout, order: ChannelOrder = "RGB") -> Any:
    """An array or torch tensor (N, C, H, W) as the layout says: (N, H, W, C), (N, H, W), (N, C * H * W), ..."""
    if order == "BGR" and images.shape[1] == 3:
        images = images[:, [2, 1, 0]]
    if layout in ("NHWC", "HWC"):
        images = images.swapaxes(1, 2).swapaxes(2, 3)
    if layout == "NHW":
        return images[:, 0]
    return images.reshape(len(images), -1) if layout in ("CHW", "HWC", "features") else images
