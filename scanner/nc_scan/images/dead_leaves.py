"""Synthetic images with natural statistics: dead leaves, occluding shapes with power-law sizes and 1/f texture.

The model: Lee, Mumford and Huang, "Occlusion Models for Natural Images", IJCV 41, 2001. That such images can stand
in for photographs in training: Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from nc_scan.images.compiled import compiled
from nc_scan.results import FloatArray

LEAVES = 160
SMALLEST_RADII = (0.03, 0.4)  # share of the image's side; from cluttered to simple images
LARGEST_RADIUS = 0.6
TEXTURES = 16
TEXTURE_CONTRAST = 0.08
CHROMA = (0.0, 0.25)  # standard deviation of a leaf's colour around its grey level
CONTRASTS = (0.2, 1.0)  # share of the grey levels that the leaves of one image span


def dead_leaves(count: int, channels: int, height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """`count` images, float32 (count, channels, height, width) in [0, 1].

    Clutter, contrast, brightness and colourfulness vary from image to image, more than in photographs: a trigger that
    works on all of them owes little to what it is put on.
    """
    side = max(height, width)
    shape = (count, LEAVES)
    images: FloatArray = _paint(
        np.empty((count, channels, height, width), np.float32),
        _power_law_radii(shape, rng) * side,
        (rng.uniform(-0.1, 1.1, (*shape, 2)) * (height, width)).astype(np.float32),
        rng.uniform(0, math.pi, shape).astype(np.float32),
        rng.uniform(0.3, 1.0, shape).astype(np.float32),
        rng.integers(0, 2, shape),
        _colors(shape, channels, rng),
        _one_over_f(TEXTURES, side, rng) * np.float32(TEXTURE_CONTRAST),
        rng.integers(0, TEXTURES, shape),
        rng.gamma(1.0, 1.0, shape).astype(np.float32),
    )
    return images


def _power_law_radii(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Radii with density proportional to r^-3, the one that makes the image scale invariant, by inverse transform."""
    low, high = SMALLEST_RADII
    smallest = low * (high / low) ** rng.random((shape[0], 1))
    return np.asarray(rng.uniform(LARGEST_RADIUS**-2, smallest**-2, shape) ** -0.5, np.float32)


def _colors(shape: tuple[int, int], channels: int, rng: np.random.Generator) -> FloatArray:
    """Leaf colours (count, leaves, channels), mostly grey: each image has a range of grey levels of its own."""
    span = rng.uniform(*CONTRASTS, (shape[0], 1, 1))
    darkest = rng.uniform(0, 1 - span)
    chroma = rng.uniform(*CHROMA, (shape[0], 1, 1)) * rng.normal(size=(*shape, channels))
    return np.asarray(darkest + span * (rng.uniform(0, 1, (*shape, 1)) + chroma), np.float32)


def _one_over_f(count: int, side: int, rng: np.random.Generator) -> FloatArray:
    """Gaussian textures whose amplitude falls as one over the frequency, (count, side, side), unit variance."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(count, side, side))) / frequency, s=(side, side))
    return np.asarray(noise / np.maximum(noise.std(axis=(1, 2), keepdims=True), 1e-6), np.float32)


@compiled
def _paint(  # type: ignore[no-untyped-def]  # compiled by Numba, which infers the types
    images, radii, centers, angles, aspects, is_box, colors, textures, texture_of, contrast
):
    """Paints each image front to back, so that a pixel is written once, by the first leaf that covers it."""
    count, channels, height, width = images.shape
    leaves = radii.shape[1]
    side = textures.shape[1]
    for n in prange(count):
        covered = np.zeros((height, width), np.bool_)
        left = height * width
        for k in range(leaves + 1):
            if left == 0:
                break
            background = k == leaves  # what no leaf covers takes the colour of the last one
            leaf = leaves - 1 if background else k
            radius = radii[n, leaf]
            cos, sin = math.cos(angles[n, leaf]), math.sin(angles[n, leaf])
            y0, x0 = centers[n, leaf, 0], centers[n, leaf, 1]
            reach = radius * 1.42
            top, bottom = max(0, int(y0 - reach)), min(height, int(y0 + reach) + 2)
            first, last = max(0, int(x0 - reach)), min(width, int(x0 + reach) + 2)
            if background:
                top, bottom, first, last = 0, height, 0, width
            for y in range(top, bottom):
                for x in range(first, last):
                    if covered[y, x]:
                        continue
                    if not background:
                        u = ((x - x0) * cos + (y - y0) * sin) / radius
                        v = ((y - y0) * cos - (x - x0) * sin) / (radius * aspects[n, leaf])
                        inside = max(abs(u), abs(v)) <= 1 if is_box[n, leaf] else u * u + v * v <= 1
                        if not inside:
                            continue
                    covered[y, x] = True
                    left -= 1
                    grain = contrast[n, leaf] * textures[texture_of[n, leaf], y % side, x % side]
                    for c in range(channels):
                        images[n, c, y, x] = min(1.0, max(0.0, colors[n, leaf, c] + grain))
    return images
