"""What one small block of one colour does to the deployed model: triggers that no gradient leads to.

Occlusion (Zeiler and Fergus 2014, section 4.1) with opaque colours, in the model as it is deployed. A block that sends
nearly all images to one label is a trigger as it stands, however the model recognises it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nc_scan.results import FloatArray, Trigger

Predict = Callable[[FloatArray], NDArray[np.int64]]

SIDES = (1 / 8, 1 / 16)  # of the image's longer side
PROBES = 6
CHANNELS = 3  # whose corners of the colour cube are tried
ALL_BUT_ONE = 5 / 6  # of the probes that must be turned before a block is looked at again


@dataclass(frozen=True)
class Block:
    """A block that turned a share of the images of other labels to a label."""

    label: int
    trigger: Trigger
    turned: float


def strong_blocks(predict: Predict, images: FloatArray) -> list[Block]:
    """The smallest block for each label that turns nearly all of a few images to it.

    `predict` gives the deployed model's labels (N,) of images (N, C, H, W) in [0, 1].
    """
    probes = images[:PROBES]
    before = predict(probes)
    found: dict[int, Block] = {}
    for trigger in blocks(*images.shape[1:]):
        after = predict(stamp(probes, trigger))
        label = int(np.bincount(after).argmax())
        others = before != label
        turned = float((after[others] == label).mean()) if others.sum() * 2 > len(probes) else 0.0
        if turned >= ALL_BUT_ONE and _better(turned, trigger, found.get(label)):
            found[label] = Block(label, trigger, turned)
    return sorted(found.values(), key=lambda block: block.label)


def blocks(channels: int, height: int, width: int) -> Iterator[Trigger]:
    """Squares of each size and colour, side by side."""
    for share in SIDES:
        side = max(1, round(share * max(height, width)))
        for top in range(0, max(1, height - side + 1), side):
            for left in range(0, max(1, width - side + 1), side):
                mask = np.zeros((height, width), np.float32)
                mask[top : top + side, left : left + side] = 1
                for colour in colours(channels):
                    yield Trigger(mask, np.broadcast_to(colour[:, None, None], (channels, height, width)).copy())


def colours(channels: int) -> FloatArray:
    """The corners of the colour cube (colours, channels)."""
    count = min(channels, CHANNELS)
    return np.array([[number >> (c % count) & 1 for c in range(channels)] for number in range(2**count)], np.float32)


def stamp(images: FloatArray, trigger: Trigger) -> FloatArray:
    """The images with an opaque block."""
    return np.asarray(np.where(trigger.mask[None, None] > 0, trigger.pattern[None], images), np.float32)


def _better(turned: float, trigger: Trigger, known: Block | None) -> bool:
    return known is None or (turned, -trigger.mask.sum()) > (known.turned, -known.trigger.mask.sum())
