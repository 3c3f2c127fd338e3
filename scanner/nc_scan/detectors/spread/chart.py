"""What a change of the whole image looks like: what it makes of a chart."""

from __future__ import annotations

import numpy as np
import torch

from nc_scan.results import FloatArray, Trigger
from nc_scan.triggers import UNCHANGED, Params, TriggerFamily

LEVELS = 8  # of brightness, from left to right


def picture(family: TriggerFamily, params: Params, size: tuple[int, int, int]) -> Trigger:
    """The chart of that size (C, H, W) with the change (one row) on it, as a trigger that covers the image."""
    changed = family.stamp(torch.from_numpy(chart(*size))[None], params, UNCHANGED)[0, 0]
    return Trigger(np.ones(size[1:], np.float32), changed.numpy())


def chart(channels: int, height: int, width: int) -> FloatArray:
    """Mid-grey above; below, steps from dark to bright, of each channel alone where there are several."""
    image = np.full((channels, height, width), 0.5, np.float32)
    steps = (np.arange(width) * LEVELS // width / (LEVELS - 1)).astype(np.float32)
    half, band = height // 2, max(1, (height - height // 2) // channels)
    for channel in range(channels):
        top = half + channel * band
        image[channel, top : top + band] = steps
    return image
