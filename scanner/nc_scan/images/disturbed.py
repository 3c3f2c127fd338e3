"""Changes after which a picture still shows the same thing, be it a photograph, a digit or a traffic sign."""

from __future__ import annotations

import numpy as np

from nc_scan.results import FloatArray

SHIFT = 1 / 32  # of the width, at most
CONTRAST, BRIGHTNESS, NOISE = 0.15, 0.05, 0.03
COVERED = 0.25  # of either side


def disturbed(images: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The images (N, C, H, W), in [0, 1], a little shifted, of other contrast and brightness, noisy, behind a block.

    The block, of one of the colours at the corners of the colour cube, covers a sixteenth of the image. They are not
    mirrored: few digits and signs are the same thing then.
    """
    count, channels, height, width = images.shape
    most = max(1, round(SHIFT * width))
    copies = np.empty_like(images)
    for index, (down, right) in enumerate(rng.integers(-most, most + 1, (count, 2))):
        copies[index] = np.roll(images[index], (down, right), (1, 2))
    contrast = rng.uniform(1 - CONTRAST, 1 + CONTRAST, (count, 1, 1, 1)).astype(np.float32)
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS, (count, 1, 1, 1)).astype(np.float32)
    noise = rng.normal(0, NOISE, images.shape).astype(np.float32)
    copies = (copies * contrast + brightness + noise).clip(0, 1)
    rows, columns = max(1, int(COVERED * height)), max(1, int(COVERED * width))
    for index in range(count):
        top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
        copies[index, :, top : top + rows, left : left + columns] = rng.integers(0, 2, (channels, 1, 1))
    return copies
