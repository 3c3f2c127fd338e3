"""Which of many labels are searched in full: those that a race of all singles out, and those that blocks bring nearest.

The forward passes of the screening tell about all labels together. A planted target is near: it took the first place of
1,283 by its log probability under the best block, where by how much the block changes it, it took the seventieth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from nc_scan.detectors.patch.screening import BlockEffects
from nc_scan.detectors.patch.settings import PatchSettings, Shortlist
from nc_scan.detectors.patch.start import guided_triggers
from nc_scan.search import Found, Search, Start, race
from nc_scan.triggers import CoarsePatch, Params

CELLS = 56  # along the longer side of a mask in the race, at most
FAINT = 0.25  # of every mask at the start: what no block moved may take part, too
WHOLE = 30.0  # nats that a mask of the whole image costs when the race starts


def shortlisted(
    search: Search, labels: Sequence[int], effects: BlockEffects, settings: PatchSettings, choice: Shortlist
) -> dict[int, Params]:
    """The labels to search in full, each with the patch (one row) that the race has reached for it."""
    height, width = search.images.shape[2:]
    coarse = CoarsePatch((height, width), -(-max(height, width) // CELLS))
    racing = dataclasses.replace(search, objective=dataclasses.replace(search.objective, family=coarse))
    brief = dataclasses.replace(settings, memory=0.5)

    def start(part: Sequence[int]) -> Start:
        guided = guided_triggers(effects.change[:, :, list(part)], search.images)
        guided["mask"] = guided["mask"].clamp(min=FAINT)
        cost = torch.full((len(part),), WHOLE / (height * width), device=search.images.device)
        return Start(coarse.shrink(guided), cost)

    def pixels(one: Found) -> float:
        """Of the trigger, where a probe that it does not turn counts as the whole image."""
        return one.size + height * width * (1 - one.success)

    rungs = choice.race(len(labels))
    stood = {one.goal: one for one in race(racing, labels, start, brief, rungs, choice.raced, pixels)}
    nearest = effects.nearest[list(labels)].topk(min(choice.nearest, len(labels))).indices.tolist()
    chosen = dict.fromkeys([*list(stood)[: choice.raced], *(labels[index] for index in nearest)])
    return {label: coarse.enlarge(stood[label].params) for label in chosen}
