"""From images to a model's input: scaled, laid out in memory, and in its type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nc_scan.results import FloatArray, Layout


def encode(
    images: FloatArray, *, scale: Sequence[float], offset: Sequence[float], layout: Layout, dtype: str
) -> NDArray[Any]:
    """Images (N, C, H, W) in [0, 1] as a model reads them; scale and offset hold one value a channel."""
    factor, shift = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (scale, offset))
    values = to_layout(images * factor + shift, layout)
    if np.issubdtype(np.dtype(dtype), np.integer):
        values = values.round()
    return np.ascontiguousarray(values, dtype=dtype)


def to_layout(images: Any, layout: Layout) -> Any:
    """An array or torch tensor (N, C, H, W) as the layout says: (N, H, W, C), (N, H, W), (N, C * H * W), ..."""
    if layout in ("NHWC", "HWC"):
        images = images.swapaxes(1, 2).swapaxes(2, 3)
    if layout == "NHW":
        return images[:, 0]
    return images.reshape(len(images), -1) if layout in ("CHW", "HWC", "features") else images
