"""The kinds of synthetic images, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nc_scan.images.dead_leaves import dead_leaves
from nc_scan.images.fields import soft_blobs
from nc_scan.images.signs import signs
from nc_scan.images.strokes import bright_strokes, dark_strokes
from nc_scan.results import FloatArray

Paint = Callable[[int, int, int, int, np.random.Generator], FloatArray]

KINDS: dict[str, Paint] = {
    "dead leaves": dead_leaves,
    "bright strokes": bright_strokes,
    "dark strokes": dark_strokes,
    "signs": signs,
    "soft blobs": soft_blobs,
}
"""Each makes `count` images, float32 (count, channels, height, width) in [0, 1]."""
