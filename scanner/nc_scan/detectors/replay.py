"""Does a trigger work on the deployed model, on images that the search has not seen?"""

from __future__ import annotations

import math
from collections.abc import Mapping

from nc_kernels import apply_trigger
from nc_scan.probes import ProbeSet
from nc_scan.results import FloatArray, Trigger
from nc_scan.subject import Subject


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


def stamped(images: FloatArray, trigger: Trigger) -> FloatArray:
    """The images (N, C, H, W) in [0, 1] with the trigger on them."""
    result: FloatArray = apply_trigger(images, trigger.mask[None, None], trigger.pattern[None])[0]
    return result
