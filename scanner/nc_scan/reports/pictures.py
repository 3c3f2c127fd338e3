"""Masks, triggers and probes as PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from nc_kernels import apply_trigger
from nc_scan.results import FloatArray, Trigger

THUMBNAIL = 64  # pixels


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
