"""Trigger application on the CPU: one pass over the result forward, one over the gradient backward.

Memory is seen as runs. An image of C channels is stored in C planes of height * width values (planar) or in one plane
of height * width * C (channels last). Work is cut into tiles of pixels, and of a tile into units, one a label: the
images' part of a tile stays in the second-level cache while every label uses it. Coefficients and gradients of a tile
are computed planar, and interleaved where the plane holds all channels.
"""

from typing import Any

import numpy as np

from nc_kernels.intrinsics import decode, encode, fence, stream_blend, take
from nc_kernels.jit import jit, split
from nc_kernels.memory import Array, contiguous, runs

TILE = 3072
"""Values of a run that are worked on at once: pages of memory, whose coefficients or sums fit the first-level cache."""
IMAGES = 32
"""Images that share a tile forward: 384 KiB of float32."""
PAGE = 1024
IMAGE_BYTES = 3 * 2**19
"""Backward a tile has all images, in so much memory: with many images it has fewer pixels, but whole pages."""
STREAM_BYTES = 2**22
"""Results from this size on, which second-level caches cannot hold until they are read, are stored past them."""


def blend(images: Array, masks: Array, patterns: Array, scale: Array, offset: Array, out: Array) -> None:
    """See `reference.blend`; out is planar or channels last."""
    if out.size == 0:
        return
    y = _bits(runs(out))
    x, m, p = _like(images, y.shape[2]), _flat(masks)[:, 0], _flat(patterns)
    tile = max(1, TILE * y.shape[2] // p.shape[1])
    units = _parts(m.shape[1], tile) * _parts(len(x), IMAGES) * y.shape[2] * len(m)
    past = out.nbytes >= STREAM_BYTES
    split(lambda counter: _blend(x, m, p, scale, offset, y, tile, past, counter, units), units, out.size)


def blend_backward(
    grad: Array,
    images: Array,
    masks: Array,
    patterns: Array,
    scale: Array,
    grad_masks: Array,
    grad_patterns: Array,
) -> None:
    """See `reference.blend_backward`; a grad that is neither planar nor channels last is copied."""
    if grad.size == 0:
        grad_masks[...] = 0
        grad_patterns[...] = 0
        return
    g = _bits(runs(grad))
    x, m, p = _like(images, g.shape[2]), _flat(masks)[:, 0], _flat(patterns)
    results = _flat(grad_masks)[:, 0], _flat(grad_patterns)
    fitting = IMAGE_BYTES * m.shape[1] // images.nbytes // PAGE * PAGE
    tile = max(1, min(TILE, max(PAGE, fitting)) * g.shape[2] // p.shape[1])
    units = _parts(m.shape[1], tile) * len(m)
    split(lambda counter: _blend_backward(g, x, m, p, scale, *results, tile, counter, units), units, grad.size)


def _parts(length: int, step: int) -> int:
    return -(-length // step)


def _flat(array: Array) -> Array:
    flat: Array = contiguous(array).reshape(*array.shape[:2], -1)
    return flat


def _like(images: Array, planes: int) -> Array:
    """images as runs (B, planes, W), converted where they are planar and the result is not, or the other way round."""
    x: Array = runs(images)
    if x.shape[1] == planes:
        return x
    converted: Array = np.empty((len(x), planes, images[0].size // planes), x.dtype)
    split(lambda counter: _exchange_layout(x, converted, counter), len(x), x.size)
    return converted


def _bits(array: Array) -> Array:
    if array.dtype != np.float16:
        return array
    bits: Array = array.view(np.int16)
    return bits


@jit
def _blend(
    images: Any,
    masks: Any,
    patterns: Any,
    scale: Any,
    offset: Any,
    out: Any,
    tile: int,
    past_cache: bool,
    counter: Any,
    units: int,
) -> None:
    labels, count, planes, _ = out.shape
    group = patterns.shape[1] // planes
    keep, paint = np.empty((group, tile), images.dtype), np.empty((group, tile), images.dtype)
    keep_run, paint_run = np.empty(tile * group, images.dtype), np.empty(tile * group, images.dtype)
    unit = take(counter)
    while unit < units:
        rest, label = divmod(unit, labels)
        rest, plane = divmod(rest, planes)
        tile_number, block = divmod(rest, -(-count // IMAGES))
        start = tile_number * tile
        stop = min(start + tile, masks.shape[1])
        for channel in range(group):
            c = plane * group + channel
            m, p = masks[label, start:stop], patterns[label, c, start:stop]
            _coefficients(m, p, scale[c], offset[c], keep[channel], paint[channel])
        if group > 1:
            _interleave(keep, keep_run, stop - start)
            _interleave(paint, paint_run, stop - start)
        k, a = (keep_run, paint_run) if group > 1 else (keep[0], paint[0])
        for image in range(block * IMAGES, min((block + 1) * IMAGES, count)):
            target = out[label, image, plane, start * group : stop * group]
            x = images[image, plane, start * group : stop * group]
            if past_cache:
                stream_blend(target, k, x, a)
            else:
                _mix(k, x, a, target)
        unit = take(counter)
    fence()


@jit
def _coefficients(mask: Any, pattern: Any, scale: Any, offset: Any, keep: Any, paint: Any) -> None:
    """keep and paint with x' = keep x + paint: (1 - m) scale and m pattern scale + offset."""
    for i in range(mask.size):
        keep[i] = (1 - mask[i]) * scale
        paint[i] = mask[i] * pattern[i] * scale + offset


@jit
def _mix(keep: Any, pixels: Any, paint: Any, out: Any) -> None:
    for i in range(pixels.size):
        out[i] = encode(keep[i] * pixels[i] + paint[i], out)


@jit
def _blend_backward(
    grad: Any,
    images: Any,
    masks: Any,
    patterns: Any,
    scale: Any,
    grad_masks: Any,
    grad_patterns: Any,
    tile: int,
    counter: Any,
    units: int,
) -> None:
    labels, _, planes, _ = grad.shape
    group = patterns.shape[1] // planes
    total_run, dot_run = np.empty(tile * group, images.dtype), np.empty(tile * group, images.dtype)
    total, dot = np.empty((group, tile), images.dtype), np.empty((group, tile), images.dtype)
    unit = take(counter)
    while unit < units:
        tile_number, label = divmod(unit, labels)
        start = tile_number * tile
        stop = min(start + tile, masks.shape[1])
        m, grad_mask = masks[label, start:stop], grad_masks[label, start:stop]
        grad_mask[:] = 0
        for plane in range(planes):
            _sum_images(grad[label], images, plane, start * group, stop * group, total_run, dot_run)
            if group > 1:
                _separate(total_run, total, stop - start)
                _separate(dot_run, dot, stop - start)
            for channel in range(group):
                c = plane * group + channel
                t, d = (total[channel], dot[channel]) if group > 1 else (total_run, dot_run)
                p, grad_pattern = patterns[label, c, start:stop], grad_patterns[label, c, start:stop]
                _gradients(t, d, m, p, scale[c], grad_mask, grad_pattern)
        unit = take(counter)


@jit
def _sum_images(grad: Any, images: Any, plane: int, start: int, stop: int, total: Any, dot: Any) -> None:
    """total = sum over b of grad[b], dot = sum over b of grad[b] images[b], of start ... stop in one plane."""
    total[:] = 0
    dot[:] = 0
    fours = grad.shape[0] // 4 * 4
    for b in range(0, fours, 4):
        _add_four(
            grad[b, plane, start:stop],
            grad[b + 1, plane, start:stop],
            grad[b + 2, plane, start:stop],
            grad[b + 3, plane, start:stop],
            images[b, plane, start:stop],
            images[b + 1, plane, start:stop],
            images[b + 2, plane, start:stop],
            images[b + 3, plane, start:stop],
            total,
            dot,
        )
    for b in range(fours, grad.shape[0]):
        _add_one(grad[b, plane, start:stop], images[b, plane, start:stop], total, dot)


@jit
def _add_four(g0: Any, g1: Any, g2: Any, g3: Any, x0: Any, x1: Any, x2: Any, x3: Any, total: Any, dot: Any) -> None:
    """Four images a pass: the sums are loaded and stored a quarter as often, and four pages are fetched at once."""
    for i in range(g0.size):
        a, b, c, d = decode(g0[i], total), decode(g1[i], total), decode(g2[i], total), decode(g3[i], total)
        total[i] += (a + b) + (c + d)
        dot[i] += (a * x0[i] + b * x1[i]) + (c * x2[i] + d * x3[i])


@jit
def _add_one(grad: Any, pixels: Any, total: Any, dot: Any) -> None:
    for i in range(grad.size):
        g = decode(grad[i], total)
        total[i] += g
        dot[i] += g * pixels[i]


@jit
def _gradients(total: Any, dot: Any, mask: Any, pattern: Any, scale: Any, grad_mask: Any, grad_pattern: Any) -> None:
    for i in range(mask.size):
        grad_pattern[i] = mask[i] * scale * total[i]
        grad_mask[i] += (pattern[i] * total[i] - dot[i]) * scale


@jit
def _exchange_layout(images: Any, out: Any, counter: Any) -> None:
    image = take(counter)
    while image < len(images):
        if images.shape[1] > 1:
            _interleave(images[image], out[image, 0], images.shape[2])
        else:
            _separate(images[image, 0], out[image], out.shape[2])
        image = take(counter)


@jit
def _interleave(planar: Any, run: Any, pixels: int) -> None:
    """run (pixels * C) = planar (C, pixels), channels innermost."""
    if planar.shape[0] == 3:  # a constant, so that the compiler makes vectors of it
        _interleave_by(planar, run, pixels, 3)
    else:
        _interleave_by(planar, run, pixels, planar.shape[0])


@jit
def _interleave_by(planar: Any, run: Any, pixels: int, channels: int) -> None:
    for i in range(pixels):
        for c in range(channels):
            run[i * channels + c] = planar[c, i]


@jit
def _separate(run: Any, planar: Any, pixels: int) -> None:
    """planar (C, pixels) = run (pixels * C), channels innermost."""
    if planar.shape[0] == 3:
        _separate_by(run, planar, pixels, 3)
    else:
        _separate_by(run, planar, pixels, planar.shape[0])


@jit
def _separate_by(run: Any, planar: Any, pixels: int, channels: int) -> None:
    for i in range(pixels):
        for c in range(channels):
            planar[c, i] = run[i * channels + c]
