"""Synthetic traffic signs: a disc or polygon with a rim and something written on it, before a blurred background."""

from __future__ import annotations

import math

import numpy as np

from nc_scan.images.fields import fields
from nc_scan.images.painting import stamp_shapes
from nc_scan.images.strokes import STROKES, characters, draw
from nc_scan.results import FloatArray

CORNERS = (0, 0, 0, 3, 3, 4, 8)  # most signs are discs, many triangles
RADII = (0.32, 0.46)  # share of the side
TRIANGLES = 0.65  # whose corners reach out to twice their radius, are smaller by this factor
RIMS = (0.0, 0.3)  # share of the radius
BLUR = (0.02, 0.06)  # share of the side
OFF_CENTRE, TURNED = 0.03, 0.05  # standard deviations, as a share of the side and in radians
SATURATION = (0.3, 1.0)
WRITTEN = 1.2  # radii wide
LIGHT = (0.25, 1.0)  # on the whole image: signs are photographed by day and by night


def signs(count: int, channels: int, height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """`count` images, float32 (count, channels, height, width) in [0, 1]."""
    side = min(height, width)
    images = fields(count, channels, height, width, rng, grey=(0.1, 0.9), chroma=(0.0, 0.2), cells=(1, 4))
    centers = np.array([height, width]) / 2 + rng.normal(0, OFF_CENTRE * side, (count, 2))
    corners = rng.choice(CORNERS, count)
    radii = rng.uniform(*RADII, count) * side * np.where(corners == 3, TRIANGLES, 1.0)
    standing = np.where(corners == 3, rng.choice((-1, 1), count) * math.pi / 2, math.pi / 4)
    rim, face = vivid(count, channels, rng), vivid(count, channels, rng)
    stamp_shapes(
        images,
        centers.astype(np.float32),
        radii.astype(np.float32),
        corners,
        (standing + rng.normal(0, TURNED, count)).astype(np.float32),
        (rng.uniform(*RIMS, count) * radii).astype(np.float32),
        rim,
        face,
        np.maximum(rng.uniform(*BLUR, count) * side, 1).astype(np.float32),
    )
    size = WRITTEN * radii
    curves = centers[:, None, None] + size[:, None, None, None] * (characters(count, STROKES, rng) - 0.5)
    dark = face.mean(1, keepdims=True) < 0.5
    draw(
        images, curves, rng.integers(0, STROKES + 1, count), size, np.repeat(dark, channels, 1).astype(np.float32), rng
    )
    images *= rng.uniform(*LIGHT, (count, 1, 1, 1)).astype(np.float32)
    return images


def vivid(count: int, channels: int, rng: np.random.Generator) -> FloatArray:
    """Colours (count, channels), between grey and the corners of the colour cube."""
    corner, grey = rng.integers(0, 2, (count, channels)), rng.uniform(0, 1, (count, 1))
    saturation = rng.uniform(*SATURATION, (count, 1))
    return np.asarray(saturation * corner + (1 - saturation) * grey, np.float32)
