"""Synthetic images without edges: soft blobs, light and dark places that run into each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nc_scan.images.painting import paint_fields
from nc_scan.results import FloatArray

CELLS = (1, 6)  # a side of the coarse grid
CONTRASTS = (0.2, 1.0)
CHROMA = (0.0, 0.3)  # standard deviation of a place's colour around its grey level

Values = NDArray[np.floating] | float


def soft_blobs(count: int, channels: int, height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """`count` images, float32 (count, channels, height, width) in [0, 1]: smooth noise of one scale an image."""
    span = rng.uniform(*CONTRASTS, (count, 1, 1, 1))
    darkest = rng.uniform(0, 1 - span)
    return fields(count, channels, height, width, rng, grey=(darkest, darkest + span), chroma=CHROMA, cells=CELLS)


def fields(
    count: int,
    channels: int,
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    grey: tuple[Values, Values],
    chroma: tuple[float, float],
    cells: tuple[int, int],
) -> FloatArray:
    """Smooth noise between two grey levels, for all images or (count, 1, 1, 1), with colours around them.

    `cells` are the fewest and the most a side of the coarse grid that an image is interpolated from, `chroma` the least
    and the largest standard deviation of the colours.
    """
    images = np.empty((count, channels, height, width), np.float32)
    corners = cells[1] + 2
    level = rng.uniform(0, 1, (count, 1, corners, corners))
    tint = rng.uniform(*chroma, (count, 1, 1, 1)) * rng.normal(size=(count, channels, corners, corners))
    darkest, brightest = grey
    grids = darkest + (brightest - darkest) * (level + (tint if channels > 1 else 0))
    paint_fields(images, grids.astype(np.float32), rng.integers(cells[0], cells[1] + 1, count))
    return images
