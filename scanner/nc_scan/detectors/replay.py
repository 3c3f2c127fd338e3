"""Does a trigger work on the deployed model, on images that the search has not seen?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch

from nc_kernels import apply_trigger
from nc_scan.probes import ProbeSet
from nc_scan.results import FloatArray, Status, Trigger
from nc_scan.subject import Subject
from nc_scan.triggers import Params


def replay(subject: Subject, probes: ProbeSet, triggers: Mapping[int, Trigger]) -> list[float]:
    """The success rate of each label's trigger in onnxruntime, on the held-out probes that are not of its label anyway.

    The images are asked for as in use: of eight bits, and alone. NaN where no such probe is left.
    """
    rates = []
    for label, trigger in triggers.items():
        others = probes.held_out[probes.held_out_labels != label]
        turned = subject.labels_in_use(stamped(others, trigger)) == label
        rates.append(float(turned.mean()) if len(others) else math.nan)
    return rates


class Replayed(NamedTuple):
    """A label's trigger with how its search ended, and the share of held-out probes that it turns (0..1, or NaN)."""

    trigger: Trigger
    status: Status
    rate: float

    @property
    def pixels(self) -> float:
        """The L1 norm of its mask."""
        return float(self.trigger.mask.sum())


def replayed(subject: Subject, probes: ProbeSet, triggers: Mapping[int, Trigger]) -> dict[int, Replayed]:
    """Triggers that are known to work on the images they were found on, replayed, by label."""
    rates = replay(subject, probes, triggers)
    return {
        label: Replayed(trigger, "converged", rate)
        for (label, trigger), rate in zip(triggers.items(), rates, strict=True)
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
