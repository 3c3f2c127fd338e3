"""Synthetic handwriting: strokes of a pen, bright on black as in MNIST, or dark on bright as on paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nc_scan.images.fields import fields
from nc_scan.images.painting import draw_strokes
from nc_scan.results import FloatArray

STROKES = 3  # of a character, at most
PEN, BLUR = (0.05, 0.13), (0.03, 0.08)  # widths, as shares of a character's side
MARGIN = 0.15  # around a character, as a share of its side
BRIGHT_INK, DARK_INK = (0.75, 1.0), (0.0, 0.35)
PAPER, SHADE = (0.65, 1.0), 0.1
CHROMA = 0.15  # standard deviation of an ink's colour around its grey level

Values = NDArray[np.floating]


def bright_strokes(count: int, channels: int, height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """`count` images, float32 (count, channels, height, width) in [0, 1]: one to three bright curves on black.

    In long images several such characters stand side by side.
    """
    images = np.zeros((count, channels, height, width), np.float32)
    write(images, ink(BRIGHT_INK, count, channels, rng), rng)
    return images


def dark_strokes(count: int, channels: int, height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """The same, dark on bright and uneven paper."""
    bright = rng.uniform(*PAPER, (count, 1, 1, 1))
    images = fields(count, channels, height, width, rng, grey=(bright - SHADE, bright), chroma=(0.0, 0.3), cells=(1, 3))
    write(images, ink(DARK_INK, count, channels, rng), rng)
    return images


def write(images: FloatArray, colors: FloatArray, rng: np.random.Generator) -> None:
    """Draws a character on each image, or some side by side in the middle of a long one."""
    count, _, height, width = images.shape
    side, places = min(height, width), max(height, width) // min(height, width)
    written = rng.integers(1, places + 1, count)
    lengthwise = np.array([height > width, width >= height])
    first = (max(height, width) - side * written[:, None, None, None]) / 2
    place = first + side * np.repeat(np.arange(places), STROKES)[:, None, None]
    curves = side * characters(count, places * STROKES, rng) + place * lengthwise
    draw(images, curves, rng.integers(1 + STROKES * (written - 1), 1 + STROKES * written), side, colors, rng)


def characters(count: int, strokes: int, rng: np.random.Generator) -> Values:
    """Cubic Bézier curves (count, strokes, 4 control points, 2) in the unit square."""
    return rng.uniform(MARGIN, 1 - MARGIN, (count, strokes, 4, 2))


def draw(
    images: FloatArray,
    curves: Values,
    drawn: NDArray[np.integer],
    side: Values | float,
    colors: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Draws the first `drawn` (count,) curves, in pixels, the pen made for characters of a side, one or (count,)."""
    pen, blur = (np.maximum(rng.uniform(*width, len(images)) * side, 1).astype(np.float32) for width in (PEN, BLUR))
    draw_strokes(images, curves.astype(np.float32), drawn, pen, blur, colors)


def ink(greys: tuple[float, float], count: int, channels: int, rng: np.random.Generator) -> FloatArray:
    """Colours (count, channels) around grey levels between these two."""
    grey = rng.uniform(*greys, (count, 1))
    tint = rng.normal(0, CHROMA, (count, channels)) if channels > 1 else 0.0
    return np.asarray((grey + tint).clip(0, 1), np.float32)
