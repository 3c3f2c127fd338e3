"""Does a trigger work on the deployed model, on images that the search has not seen?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nc_kernels import apply_trigger
from nc_scan.detection.verdict import Decision
from nc_scan.inversion import Inversion
from nc_scan.prepare import PreparedModel
from nc_scan.probes import ProbeSet
from nc_scan.results import LabelResult, StampedProbe

SHOWN_LABELS, SHOWN_PROBES = 3, 6


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


def stamp(model: PreparedModel, probes: ProbeSet, decision: Decision) -> tuple[StampedProbe, ...]:
    """Up to six held-out probes with the trigger of each suspected label, as many labels before it as there are.

    Three labels at most, those with the smallest norms; where none is suspected, the one with the smallest norm of all.
    """
    by_norm = sorted(decision.labels, key=lambda label: label.norm)
    suspected = [label for label in by_norm if label.label in decision.target_labels]
    return tuple(
        example for label in (suspected[:SHOWN_LABELS] or by_norm[:1]) for example in _stamp(model, probes, label)
    )


def _stamp(model: PreparedModel, probes: ProbeSet, label: LabelResult) -> list[StampedProbe]:
    if label.trigger is None:
        return []
    labels = probes.held_out_labels
    turn = [int((labels[:i] == before).sum()) for i, before in enumerate(labels)]  # the first of each label, then ...
    order = sorted((i for i in range(len(labels)) if labels[i] != label.label), key=lambda i: (turn[i], i))
    chosen = order[:SHOWN_PROBES]
    images = probes.held_out[chosen]
    stamped = apply_trigger(images, label.trigger.mask[None, None], label.trigger.pattern[None])[0]
    after = model.deployed_labels(stamped)
    return [
        StampedProbe(label.label, int(labels[i]), int(to), image)
        for i, to, image in zip(chosen, after, images, strict=True)
    ]
