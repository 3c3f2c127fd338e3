"""Masks, triggers and probes as PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from nc_kernels import apply_trigger
from nc_scan.results import FloatArray, Trigger

THUMBNAIL = 64  # pixels
FAINT = 0.05  # a mask below this is as good as nothing
MARGIN = 2  # pixels around a crop


def mask_png(mask: FloatArray, largest: int | None = None) -> bytes:
    """A gray picture of the mask, white where it covers the image whole; no side longer than `largest`."""
    picture = Image.fromarray(_bytes(mask))
    if largest is not None:
        picture.thumbnail((largest, largest), Image.Resampling.BOX)
    return _png(picture)


def trigger_png(trigger: Trigger) -> bytes:
    """The pattern, as opaque as the mask."""
    alpha = Image.fromarray(_bytes(trigger.mask))
    picture = _picture(trigger.pattern).convert("RGB")
    picture.putalpha(alpha)
    return _png(picture)


def pattern_png(trigger: Trigger) -> bytes:
    """The pattern's colours wherever the mask covers at all, transparent elsewhere."""
    picture = _picture(trigger.pattern).convert("RGB")
    picture.putalpha(Image.fromarray(np.where(trigger.mask >= FAINT, np.uint8(255), np.uint8(0))))
    return _png(picture)


def cropped(trigger: Trigger) -> Trigger:
    """The square around what the mask covers, with a margin; the whole where it covers nothing."""
    mask = trigger.mask
    ys, xs = (np.flatnonzero((mask >= FAINT).any(axis=axis)) for axis in (1, 0))
    if not len(ys):
        return trigger
    side = min(max(int(np.ptp(ys)), int(np.ptp(xs))) + 1 + 2 * MARGIN, *mask.shape)
    top, left = (
        int(np.clip((line[0] + line[-1] + 1 - side) // 2, 0, length - side))
        for line, length in zip((ys, xs), mask.shape, strict=True)
    )
    part = np.s_[top : top + side, left : left + side]
    return Trigger(mask[part], trigger.pattern[(slice(None), *part)])


def image_png(image: FloatArray) -> bytes:
    """An image (channels, height, width) in [0, 1]: gray, RGB or RGBA."""
    return _png(_picture(image))


def stamped(image: FloatArray, trigger: Trigger) -> FloatArray:
    """The image with the trigger: (1 - m) x + m Δ (Wang et al. 2019, section 3.2)."""
    values = (np.asarray(array, np.float32)[None] for array in (image, trigger.mask[None], trigger.pattern))
    return np.asarray(apply_trigger(*values, backend="numpy")[0, 0])  # one image: not worth loading a compiler


def data_uri(png: bytes) -> str:
    """The PNG as an address that needs no network."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _picture(image: FloatArray) -> Image.Image:
    pixels = _bytes(image)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _bytes(values: FloatArray) -> np.ndarray:
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
