"""Does a trigger work on the deployed model, on images that the search has not seen?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nc_kernels import apply_trigger
from nc_scan.inversion import Inversion
from nc_scan.prepare import PreparedModel
from nc_scan.probes import ProbeSet


def replay(model: PreparedModel, probes: ProbeSet, found: Sequence[Inversion]) -> list[float]:
    """The success rate of each trigger in onnxruntime, on the held-out probes that are not of its label already.

    NaN where no such probe is left.
    """
    rates = []
    for inversion in found:
        others = probes.held_out[probes.held_out_labels != inversion.label]
        stamped = apply_trigger(others, inversion.mask[None, None], inversion.pattern[None])[0]
        rates.append(float((model.deployed_labels(stamped) == inversion.label).mean()) if len(others) else math.nan)
    return rates
