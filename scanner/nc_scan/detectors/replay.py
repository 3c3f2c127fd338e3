"""Does a trigger work on the deployed model, on images that the search has not seen?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch

from nc_kernels import apply_trigger
from nc_scan.probes import ProbeSet
from nc_scan.results import FloatArray, Status, Trigger
from nc_scan.subject import Subject
from nc_scan.triggers import Params


def share_turned(subject: Subject, probes: ProbeSet, label: int, change: Callable[[FloatArray], FloatArray]) -> float:
    """The share of the held-out probes not of the label anyway that onnxruntime gives it once they are changed.

    The images are asked for as in use: of eight bits, and alone. NaN where no such probe is left.
    """
    others = probes.held_out[probes.held_out_labels != label]
    if not len(others):
        return math.nan
    return float((subject.labels_in_use(change(others)) == label).mean())


class Replayed(NamedTuple):
    """A label's trigger with how its search ended, and the share of held-out probes that it turns (0..1, or NaN)."""

    trigger: Trigger
    status: Status
    rate: float

    @property
    def pixels(self) -> float:
        """The L1 norm of its mask."""
        return float(self.trigger.mask.sum())


def replayed(
    subject: Subject, probes: ProbeSet, triggers: Mapping[int, Trigger], statuses: Mapping[int, Status] | None = None
) -> dict[int, Replayed]:
    """Each label's trigger replayed; by default they are known to work on the images that they were found on."""
    return {
        label: Replayed(
            trigger,
            (statuses or {}).get(label, "converged"),
            share_turned(subject, probes, label, partial(stamped, trigger=trigger)),
        )
        for label, trigger in triggers.items()
    }


def stamped(images: FloatArray, trigger: Trigger) -> FloatArray:
    """The images (N, C, H, W) in [0, 1] with the trigger on them."""
    result: FloatArray = apply_trigger(images, trigger.mask[None, None], trigger.pattern[None])[0]
    return result


def as_trigger(params: Params) -> Trigger:
    """A patch's parameters of one row, on the CPU, as a trigger."""
    return Trigger(params["mask"][0, 0].numpy(), params["pattern"][0].numpy())


def as_params(trigger: Trigger, device: torch.device) -> Params:
    """The other way."""
    mask, pattern = torch.from_numpy(trigger.mask)[None, None], torch.from_numpy(trigger.pattern)[None]
    return {"mask": mask.to(device, copy=True), "pattern": pattern.to(device, copy=True)}
