"""Picture files as arrays that fit a model."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nc_scan.errors import DataError
from nc_scan.images.memory import Size, affordable
from nc_scan.results import FloatArray

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
ENOUGH = 2048  # more images than any scan looks at; reading stops there
FEWEST = 96  # read however large they are
# What a file with wrong bytes somewhere makes the many readers of Pillow raise.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error)


@dataclass(frozen=True)
class Images:
    """Float32 images (N, channels, height, width) in [0, 1], with their labels (N,) >= 0 where the data has them.

    Feature vectors are images (N, 1, 1, features); their `limits` are the smallest and the largest value (features,) of
    each feature in the data, for which 0 and 1 stand. `source` is where they come from. `mirrors` says that a mirrored
    image is as good an image, as it is not of characters and signs.
    """

    values: FloatArray
    labels: NDArray[np.int64] | None = None
    limits: tuple[FloatArray, FloatArray] | None = None
    source: str = "synthetic"
    mirrors: bool = False

    def first(self, count: int) -> Images:
        """So many of them."""
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, values=self.values[:count], labels=labels)


def choose(count: int, size: Size, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of the images to read, of `count`, in random order: 2,048 at most, fewer above 125 x 125 x 3."""
    return rng.permutation(count)[: min(ENOUGH, max(FEWEST, affordable(size)))]


def read_picture(data: bytes, name: str, size: Size) -> FloatArray:
    """The picture in a file's content, float32 (channels, height, width) in [0, 1].

    Grey values of 16 bits are scaled like those of 8. Raises DataError for what is no picture, is broken, or has grey
    values whose range is not evident.
    """
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        return fit(_eight_bits(image), size)
    except (*BROKEN, Image.DecompressionBombError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{name} is not an image that can be read: {reason}") from error


def fit(image: Image.Image, size: Size) -> FloatArray:
    """A picture of 8 bits a channel, float32 (channels, height, width) in [0, 1]."""
    channels, height, width = size
    image = image.convert(MODES[channels])
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32).reshape(height, width, channels).transpose(2, 0, 1) / np.float32(255)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deeper grey values scaled to 8 bits, which Pillow would clip instead."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)
    grey = np.round(values * (255 / _white(values, image.mode)))
    return Image.fromarray(grey.astype(np.uint8))


def _white(values: np.ndarray, mode: str) -> int:
    """The grey value that means white. Raises ValueError where that is not evident."""
    if mode.startswith("I;16"):
        return 65535
    for white in (1,) if mode == "F" else (255, 65535):
        if ((values >= 0) & (values <= white)).all():
            return white
    raise ValueError(
        f"its grey values lie in {values.min():g}..{values.max():g}; give 8 or 16 bits, or floats in [0, 1]"
    )
