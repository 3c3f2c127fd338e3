"""The brushes of the synthetic images, compiled by Numba: smooth fields, shapes with a rim, strokes of a pen.

Each paints over images (count, channels, height, width), float32, in place; sizes and places are in pixels, places are
(y, x), colours hold one value a channel.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from nc_scan.images.compiled import compiled

SEGMENTS = 10  # straight pieces of a Bézier curve


@compiled
def paint_fields(images, grids, cells):  # type: ignore[no-untyped-def]  # Numba infers the types
    """Smooth fields: values of a coarse grid with between 1 and `cells` (count,) cells a side, interpolated smoothly.

    `grids` (count, channels, rows, columns) holds at least one row and column more than cells.
    """
    count, channels, height, width = images.shape
    for n in prange(count):
        for y in range(height):
            v = (y + 0.5) / height * cells[n]
            row = int(v)
            v -= row
            v *= v * (3 - 2 * v)
            for x in range(width):
                u = (x + 0.5) / width * cells[n]
                column = int(u)
                u -= column
                u *= u * (3 - 2 * u)
                for c in range(channels):
                    upper = grids[n, c, row, column] * (1 - u) + grids[n, c, row, column + 1] * u
                    lower = grids[n, c, row + 1, column] * (1 - u) + grids[n, c, row + 1, column + 1] * u
                    images[n, c, y, x] = min(1.0, max(0.0, upper * (1 - v) + lower * v))


@compiled
def stamp_shapes(images, centers, radii, corners, angles, rims, rim_colors, colors, blur):  # type: ignore[no-untyped-def]
    """A regular polygon on each image, a disc where it has no `corners`, with a rim of a colour of its own.

    `centers` (count, 2); `radii`, from the centre to the middle of an edge, `corners`, `angles`, widths of the `rims`
    and of the `blur` at the edges (count,); colours (count, channels).
    """
    count, channels, height, width = images.shape
    for n in prange(count):
        reach = radii[n] * (2.0 if corners[n] == 3 else 1.45) + blur[n]
        top, bottom = max(0, int(centers[n, 0] - reach)), min(height, int(centers[n, 0] + reach) + 2)
        first, last = max(0, int(centers[n, 1] - reach)), min(width, int(centers[n, 1] + reach) + 2)
        for y in range(top, bottom):
            for x in range(first, last):
                dy, dx = y - centers[n, 0], x - centers[n, 1]
                distance = math.sqrt(dy * dy + dx * dx)
                if corners[n] > 0:
                    sector = 2 * math.pi / corners[n]
                    angle = (math.atan2(dy, dx) - angles[n]) % sector - sector / 2
                    distance *= math.cos(angle)
                distance -= radii[n]
                shape = min(1.0, max(0.0, 0.5 - distance / blur[n]))
                inner = min(1.0, max(0.0, 0.5 - (distance + rims[n]) / blur[n]))
                for c in range(channels):
                    own = rim_colors[n, c] * (1 - inner) + colors[n, c] * inner
                    images[n, c, y, x] = images[n, c, y, x] * (1 - shape) + own * shape


@compiled
def draw_strokes(images, curves, drawn, widths, blur, colors):  # type: ignore[no-untyped-def]
    """The first `drawn` (count,) cubic Bézier curves (count, most, 4 control points, 2) of each image, with a pen.

    `widths` of the pen and its `blur` (count,), `colors` (count, channels).
    """
    count, channels, height, width = images.shape
    for n in prange(count):
        ink = np.zeros((height, width), np.float32)
        reach = 0.5 * (widths[n] + blur[n])
        for k in range(drawn[n]):
            y0, x0 = curves[n, k, 0, 0], curves[n, k, 0, 1]
            for piece in range(1, SEGMENTS + 1):
                t = piece / SEGMENTS
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                p = curves[n, k]
                y1 = a * p[0, 0] + b * p[1, 0] + c * p[2, 0] + d * p[3, 0]
                x1 = a * p[0, 1] + b * p[1, 1] + c * p[2, 1] + d * p[3, 1]
                dy, dx = y1 - y0, x1 - x0
                length = max(dy * dy + dx * dx, 1e-6)
                for y in range(max(0, int(min(y0, y1) - reach)), min(height, int(max(y0, y1) + reach) + 2)):
                    for x in range(max(0, int(min(x0, x1) - reach)), min(width, int(max(x0, x1) + reach) + 2)):
                        along = min(1.0, max(0.0, ((y - y0) * dy + (x - x0) * dx) / length))
                        off = math.hypot(y - y0 - along * dy, x - x0 - along * dx)
                        ink[y, x] = max(ink[y, x], min(1.0, max(0.0, (reach - off) / blur[n])))
                y0, x0 = y1, x1
        for y in range(height):
            for x in range(width):
                if ink[y, x] > 0:
                    for c in range(channels):
                        images[n, c, y, x] = images[n, c, y, x] * (1 - ink[y, x]) + colors[n, c] * ink[y, x]
