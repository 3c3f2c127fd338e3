"""Trigger application on the CPU: one pass over the result forward, one over the gradient backward.

Memory is seen as runs. An image of C channels is stored in C planes of height * width values (planar) or in one plane
of height * width * C (channels last); `group` is the number of values that one pixel has in a plane, 1 or C. Work goes
in tiles of pixels, so that the images' part of a tile stays in the cache while every label uses it, and the large array
is read or written once, past the cache.
"""

from typing import Any

import numpy as np

from nc_kernels.jit import jit, split
from nc_kernels.memory import Array, contiguous, runs
from nc_kernels.simd import fence, stream_blend, sum_and_dot

FORWARD_RUN = 1024
BACKWARD_RUN = 384
"""Values of one plane in a tile."""
IMAGE_BLOCK = 32
"""Images that share a tile: FORWARD_RUN * IMAGE_BLOCK * 3 channels of float32 are 384 KiB of second-level cache."""


def blend(images: Array, masks: Array, patterns: Array, scale: Array, offset: Array, out: Array) -> None:
    """See `reference.blend`; out is planar or channels last."""
    if out.size == 0:
        return
    x, m, p, y = runs(images), _flat(masks)[:, 0], _flat(patterns), _bits(runs(out))
    step = max(1, FORWARD_RUN * y.shape[2] // p.shape[1])
    split(lambda first, last: _blend(x, m, p, scale, offset, y, step, first, last), m.shape[1], step)


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
    g, x, m, p = _bits(runs(grad)), runs(images), _flat(masks)[:, 0], _flat(patterns)
    results = _flat(grad_masks)[:, 0], _flat(grad_patterns)
    step = max(1, BACKWARD_RUN * g.shape[2] // p.shape[1])
    split(lambda first, last: _blend_backward(g, x, m, p, scale, *results, step, first, last), m.shape[1], step)


def _flat(array: Array) -> Array:
    return contiguous(array).reshape(*array.shape[:2], -1)


def _bits(array: Array) -> Array:
    return array.view(np.int16) if array.dtype == np.float16 else array


@jit
def _blend(
    images: Any, masks: Any, patterns: Any, scale: Any, offset: Any, out: Any, step: int, first: int, last: int
) -> None:
    labels, count, planes, _ = out.shape
    group = patterns.shape[1] // planes
    pixels = np.empty((planes, IMAGE_BLOCK, step * group), images.dtype)
    keep = np.empty((planes, step * group), images.dtype)
    paint = np.empty((planes, step * group), images.dtype)
    for start in range(first, last, step):
        stop = min(start + step, last)
        for block in range(0, count, IMAGE_BLOCK):
            images_here = min(IMAGE_BLOCK, count - block)
            _gather(images[block : block + images_here], pixels, group, start, stop)
            for label in range(labels):
                _coefficients(masks[label], patterns[label], scale, offset, keep, paint, group, start, stop)
                for image in range(images_here):
                    for plane in range(planes):
                        target = out[label, block + image, plane, start * group : stop * group]
                        stream_blend(target, keep[plane], pixels[plane, image], paint[plane])
    fence()


@jit
def _blend_backward(
    grad: Any,
    images: Any,
    masks: Any,
    patterns: Any,
    scale: Any,
    grad_masks: Any,
    grad_patterns: Any,
    step: int,
    first: int,
    last: int,
) -> None:
    labels, count, planes, _ = grad.shape
    group = patterns.shape[1] // planes
    pixels = np.empty((planes, IMAGE_BLOCK, step * group), images.dtype)
    total = np.empty(step * group, images.dtype)
    dot = np.empty(step * group, images.dtype)
    grad_masks[:, first:last] = 0
    grad_patterns[:, :, first:last] = 0
    for start in range(first, last, step):
        stop = min(start + step, last)
        size = (stop - start) * group
        for block in range(0, count, IMAGE_BLOCK):
            images_here = min(IMAGE_BLOCK, count - block)
            _gather(images[block : block + images_here], pixels, group, start, stop)
            for plane in range(planes):
                for label in range(labels):
                    rows = grad[label, block : block + images_here, plane, start * group : stop * group]
                    sum_and_dot(rows, pixels[plane, :, :size], total[:size], dot[:size])
                    for k in range(group):
                        channel = plane + k  # one of the two is always 0
                        _add_gradients(
                            total[k:size:group],
                            dot[k:size:group],
                            masks[label, start:stop],
                            patterns[label, channel, start:stop],
                            scale[channel],
                            grad_masks[label, start:stop],
                            grad_patterns[label, channel, start:stop],
                        )


@jit
def _gather(images: Any, pixels: Any, group: int, start: int, stop: int) -> None:
    """pixels (planes, b, run) = the pixels start ... stop of images (b, planes', W) in the layout that group says."""
    channels = pixels.shape[0] * group
    images_group = channels // images.shape[1]
    for image in range(images.shape[0]):
        if images_group == group:
            for plane in range(pixels.shape[0]):
                source = images[image, plane, start * group : stop * group]
                pixels[plane, image, : source.size] = source
        else:
            for channel in range(channels):
                source = images[image, channel % images.shape[1], channel // images.shape[1] :: images_group][
                    start:stop
                ]
                target = pixels[channel % pixels.shape[0], image, channel // pixels.shape[0] :: group]
                target[: stop - start] = source


@jit
def _coefficients(
    mask: Any, pattern: Any, scale: Any, offset: Any, keep: Any, paint: Any, group: int, start: int, stop: int
) -> None:
    """keep and paint (planes, run) with x' = keep x + paint: (1 - m) scale and m pattern scale + offset."""
    m = mask[start:stop]
    for channel in range(pattern.shape[0]):
        p, s, o = pattern[channel, start:stop], scale[channel], offset[channel]
        keep_here = keep[channel % keep.shape[0], channel // keep.shape[0] :: group]
        paint_here = paint[channel % keep.shape[0], channel // keep.shape[0] :: group]
        for i in range(m.size):
            keep_here[i] = (1 - m[i]) * s
            paint_here[i] = m[i] * p[i] * s + o


@jit
def _add_gradients(
    total: Any, dot: Any, mask: Any, pattern: Any, scale: float, grad_mask: Any, grad_pattern: Any
) -> None:
    for i in range(mask.size):
        grad_pattern[i] += mask[i] * scale * total[i]
        grad_mask[i] += (pattern[i] * total[i] - dot[i]) * scale
