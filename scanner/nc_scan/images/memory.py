"""How many images are held at once: fewer where they are large."""

from __future__ import annotations

import math

Size = tuple[int, int, int]  # channels, height, width

MOST_VALUES = 2560 * 3 * 112 * 112  # of all images together: 385 MB as float32


def affordable(size: Size) -> int:
    """How many images of that size hold at most 96 million values together."""
    return MOST_VALUES // math.prod(size)
