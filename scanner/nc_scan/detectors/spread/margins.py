"""How far one label is the nearest, whatever the images show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nc_scan.standouts import ENOUGH, spacing

ByLabel = NDArray[np.float64]
SMALLEST = 1e-6  # keeps the logarithm of no change finite


def margins(sizes: Sequence[float]) -> ByLabel:
    """By how much each label's change is smaller than the smallest of any other one (labels,), in nats.

    Above 0 for the nearest label alone. Among many labels the smallest two lie closer together, so it is told in units
    of what is usual among ten (see `nc_scan.standouts`).
    """
    logs = np.log(np.maximum(np.asarray(sizes, np.float64), SMALLEST))
    first, second = np.partition(logs, 1)[:2]
    others = np.where(logs == first, second, first)
    return np.asarray((others - logs) / (spacing(len(logs)) / spacing(ENOUGH)))


def common_margins(by_images: Sequence[Sequence[float]]) -> ByLabel:
    """The margin that each label has on every kind of images (labels,): the least of them, at least 0.

    A label that is near because images of one kind happen to lie near it is far on those of another; a trigger that was
    planted works on any.
    """
    return np.asarray(np.clip(np.min([margins(sizes) for sizes in by_images], axis=0), 0, None))
