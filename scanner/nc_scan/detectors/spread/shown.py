"""A change of the whole image as it is shown: as strong as it takes to work on the deployed model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from nc_scan.detectors.replay import share_turned
from nc_scan.probes import ProbeSet
from nc_scan.results import WORKS, FloatArray
from nc_scan.search import Found
from nc_scan.subject import Subject
from nc_scan.triggers import UNCHANGED, Params, TriggerFamily

# What is found turns no more images than the search asked for; shown is the first of these multiples that turns WORKS.
STRONGER = (1, 2, 4)


class Shown(NamedTuple):
    """A change with its size, and the share of the held-out images of each kind that it turns at least."""

    params: Params
    size: float
    rate: float


def shown(subject: Subject, every: Sequence[ProbeSet], family: TriggerFamily, found: Found) -> Shown:
    """The change that was found, as strong as it takes to turn WORKS; if none does, as strong as it turns most."""
    tried = list[Shown]()
    for times in STRONGER:
        tried.append(_replayed(subject, every, family, found, times))
        if tried[-1].rate >= WORKS:
            break
    return max(tried, key=lambda one: one.rate)


def _replayed(subject: Subject, every: Sequence[ProbeSet], family: TriggerFamily, found: Found, times: int) -> Shown:
    """The change that was found, so many times as strong, on the deployed model."""
    params = {name: times * values for name, values in found.params.items()}

    def changed(images: FloatArray) -> FloatArray:
        return np.asarray(family.stamp(torch.from_numpy(images), params, UNCHANGED)[0].numpy())

    rates = np.nan_to_num([share_turned(subject, probes, found.goal, changed) for probes in every])  # 0 of no images
    return Shown(params, float(family.size(params)[0]), float(rates.min()))
