"""Single blocks as triggers: what no gradient leads to, and what the search passes by since it spares a few images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from nc_scan.detectors.patch.settings import PatchSettings
from nc_scan.detectors.replay import Replayed, as_params, as_trigger, replayed
from nc_scan.probes import ProbeSet
from nc_scan.results import WORKS, Trigger
from nc_scan.search import Budget, Found, OutOfTime
from nc_scan.subject import Subject
from nc_scan.triggers import Params

SMALLER = 0.5  # times what the search found: that a few images less need fewer pixels is no sign

Shrink = Callable[[int, Params, PatchSettings], Found]
"""The smallest patch for a label that a search with these settings reaches from a known one."""


def with_blocks(
    subject: Subject,
    probes: ProbeSet,
    found: Mapping[int, Replayed],
    blocks: Mapping[int, Trigger],
    settings: PatchSettings,
    budget: Budget,
    shrink: Shrink,
) -> dict[int, Replayed]:
    """What was found, with a label's block in its place where that is much smaller and works.

    A trigger may spare a few images by intent. The search, which asks for nearly all of them, then spends many pixels
    on these; so from the block a further one asks for no more than the block turned. Settings that polish nothing
    shrink no block; where time runs out, it stays as it is.
    """
    smaller = {
        label: block
        for label, block in blocks.items()
        if label in found and (found[label].status != "converged" or block.mask.sum() <= SMALLER * found[label].pixels)
    }
    working = {label: one for label, one in replayed(subject, probes, smaller).items() if one.rate >= WORKS}
    better = dict(working)
    polishing = settings.polishing()
    budget.foresee(len(working) * polishing.passes)
    for label, block in working.items() if settings.polish else ():
        as_good = dataclasses.replace(polishing, success=min(settings.success, block.rate))
        try:
            shrunk = shrink(label, as_params(block.trigger, subject.device), as_good)
        except OutOfTime:
            break
        if shrunk.status == "converged" and shrunk.size < block.pixels:
            again = replayed(subject, probes, {label: as_trigger(shrunk.params)})
            better |= {label: one for label, one in again.items() if one.rate >= WORKS}
    return {**found, **better}
