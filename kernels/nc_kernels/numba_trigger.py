"""Trigger application on the CPU: one pass over the result forward, one over the gradient backward.

Memory is seen as runs. An image of C channels is stored in C planes of height * width values (planar) or in one plane
of height * width * C (channels last); `group` is the number of values that one pixel has in a plane, 1 or C. Work goes
in tiles of pixels of one plane: the images' part of a tile stays in the cache while every label uses it, and the large
array is read or written once.
"""

from typing import Any

import numpy as np

from nc_kernels.jit import jit, split
from nc_kernels.memory import Array, contiguous, runs
from nc_kernels.simd import fence, prefetch, stream_blend, sum_and_dot

FORWARD_PIXELS = 1024
BACKWARD_PIXELS = 64
"""Pixels of a tile: forward long runs of writes; backward what `sum_and_dot` keeps in registers."""
IMAGE_BLOCK = 32
"""Images that share a tile: FORWARD_PIXELS * IMAGE_BLOCK float32 are 128 KiB of the second-level cache."""
LINE = 64
"""Bytes of a cache line."""


def blend(images: Array, masks: Array, patterns: Array, scale: Array, offset: Array, out: Array) -> None:
    """See `reference.blend`; out is planar or channels last."""
    if out.size == 0:
        return
    x, m, p, y = runs(images), _flat(masks)[:, 0], _flat(patterns), _bits(runs(out))
    split(lambda first, last: _blend(x, m, p, scale, offset, y, first, last), m.shape[1], FORWARD_PIXELS)


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
    split(lambda first, last: _blend_backward(g, x, m, p, scale, *results, first, last), m.shape[1], BACKWARD_PIXELS)


def _flat(array: Array) -> Array:
    flat: Array = contiguous(array).reshape(*array.shape[:2], -1)
    return flat


def _bits(array: Array) -> Array:
    if array.dtype != np.float16:
        return array
    bits: Array = array.view(np.int16)
    return bits


@jit
def _blend(images: Any, masks: Any, patterns: Any, scale: Any, offset: Any, out: Any, first: int, last: int) -> None:
    labels, count, planes, _ = out.shape
    group = patterns.shape[1] // planes
    pixels = np.empty((IMAGE_BLOCK, FORWARD_PIXELS * group), images.dtype)
    keep = np.empty(FORWARD_PIXELS * group, images.dtype)
    paint = np.empty(FORWARD_PIXELS * group, images.dtype)
    for start in range(first, last, FORWARD_PIXELS):
        stop = min(start + FORWARD_PIXELS, last)
        for block in range(0, count, IMAGE_BLOCK):
            images_here = min(IMAGE_BLOCK, count - block)
            for plane in range(planes):
                _gather(images[block : block + images_here], pixels, plane, planes, group, start, stop)
                for label in range(labels):
                    _coefficients(masks[label], patterns[label], scale, offset, keep, paint, plane, group, start, stop)
                    for image in range(images_here):
                        target = out[label, block + image, plane, start * group : stop * group]
                        stream_blend(target, keep, pixels[image], paint)
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
    first: int,
    last: int,
) -> None:
    labels, count, planes, _ = grad.shape
    group = patterns.shape[1] // planes
    pixels = np.empty((IMAGE_BLOCK, BACKWARD_PIXELS * group), images.dtype)
    total = np.empty(BACKWARD_PIXELS * group, images.dtype)
    dot = np.empty(BACKWARD_PIXELS * group, images.dtype)
    grad_masks[:, first:last] = 0
    grad_patterns[:, :, first:last] = 0
    for start in range(first, last, BACKWARD_PIXELS):
        stop = min(start + BACKWARD_PIXELS, last)
        for block in range(0, count, IMAGE_BLOCK):
            images_here = min(IMAGE_BLOCK, count - block)
            for plane in range(planes):
                _gather(images[block : block + images_here], pixels, plane, planes, group, start, stop)
                for label in range(labels):
                    rows = grad[label, block : block + images_here, plane, start * group : stop * group]
                    sum_and_dot(rows, pixels, total, dot)
                    _add_gradients(
                        total,
                        dot,
                        masks[label, start:stop],
                        patterns[label, :, start:stop],
                        scale,
                        grad_masks[label, start:stop],
                        grad_patterns[label, :, start:stop],
                        plane,
                        group,
                    )


@jit
def _gather(images: Any, pixels: Any, plane: int, planes: int, group: int, start: int, stop: int) -> None:
    """pixels (b, run) = the pixels start ... stop of images (b, planes', W) in one plane of the layout that group says.

    Also begins to fetch what the next tile will gather.
    """
    images_group = planes * group // images.shape[1]
    for image in range(images.shape[0]):
        if images_group == group:
            source = images[image, plane, start * group : stop * group]
            for i in range(source.size):
                pixels[image, i] = source[i]
            for i in range(0, source.size, LINE // source.itemsize):
                prefetch(source, source.size + i)
        elif group == 1:
            pixels[image, : stop - start] = images[image, 0, plane::images_group][start:stop]
        else:
            for channel in range(group):
                pixels[image, channel::group][: stop - start] = images[image, channel, start:stop]


@jit
def _coefficients(
    mask: Any,
    pattern: Any,
    scale: Any,
    offset: Any,
    keep: Any,
    paint: Any,
    plane: int,
    group: int,
    start: int,
    stop: int,
) -> None:
    """keep and paint (run,) with x' = keep x + paint in one plane: (1 - m) scale and m pattern scale + offset."""
    m = mask[start:stop]
    if group == 1:  # apart, so that the compiler sees contiguous arrays
        _mix(m, pattern[plane, start:stop], scale[plane], offset[plane], keep, paint)
    else:
        for channel in range(group):
            p = pattern[channel, start:stop]
            _mix(m, p, scale[channel], offset[channel], keep[channel::group], paint[channel::group])


@jit
def _mix(mask: Any, pattern: Any, scale: Any, offset: Any, keep: Any, paint: Any) -> None:
    for i in range(mask.size):
        keep[i] = (1 - mask[i]) * scale
        paint[i] = mask[i] * pattern[i] * scale + offset


@jit
def _add_gradients(
    total: Any,
    dot: Any,
    mask: Any,
    pattern: Any,
    scale: Any,
    grad_mask: Any,
    grad_pattern: Any,
    plane: int,
    group: int,
) -> None:
    """Add what one plane's sums over images, total and dot (run,), contribute to the gradients of a tile."""
    if group == 1:  # apart, so that the compiler sees contiguous arrays
        _add(total, dot, mask, pattern[plane], scale[plane], grad_mask, grad_pattern[plane])
    else:
        for c in range(group):
            _add(total[c::group], dot[c::group], mask, pattern[c], scale[c], grad_mask, grad_pattern[c])


@jit
def _add(total: Any, dot: Any, mask: Any, pattern: Any, scale: Any, grad_mask: Any, grad_pattern: Any) -> None:
    for i in range(mask.size):
        grad_pattern[i] += mask[i] * scale * total[i]
        grad_mask[i] += (pattern[i] * total[i] - dot[i]) * scale
