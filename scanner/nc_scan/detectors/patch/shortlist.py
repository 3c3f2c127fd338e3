"""Which of many labels are searched in full: those that a race singles out, and those that blocks bring nearest.

The forward passes of the screening tell about all labels together, so that few labels have to race however many there
are. A planted target is among the first by its log probability under the best block, or by how much the block changes
it: of 1,283 it was the first by the one and the 7th and 234th by the other, of 100 the 21st and the first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from nc_scan.detectors.patch.screening import BlockEffects
from nc_scan.detectors.patch.settings import PatchSettings, Shortlist
from nc_scan.detectors.patch.start import guided_triggers
from nc_scan.search import Found, Search, Start, race, race_passes
from nc_scan.triggers import CoarsePatch, Params

CELLS = 56  # along the longer side of a mask in the race, at most
FAINT = 0.25  # of every mask at the start: what no block moved may take part, too
WHOLE = 30.0  # nats that a mask of the whole image costs when the race starts
MEMORY = 0.8  # of the running success: the place in the race depends on it


def shortlisted(
    search: Search, labels: Sequence[int], effects: BlockEffects, settings: PatchSettings, choice: Shortlist
) -> dict[int, Params]:
    """The labels to search in full, each with the patch (one row) that the race has reached for it."""
    height, width = search.images.shape[2:]
    coarse = CoarsePatch((height, width), -(-max(height, width) // CELLS))
    racing = dataclasses.replace(search, objective=dataclasses.replace(search.objective, family=coarse))
    brief = dataclasses.replace(settings, memory=MEMORY)

    def start(part: Sequence[int]) -> Start:
        guided = guided_triggers(effects.change[:, :, list(part)], search.images)
        guided["mask"] = guided["mask"].clamp(min=FAINT)
        cost = torch.full((len(part),), WHOLE / (height * width), device=search.images.device)
        return Start(coarse.shrink(guided), cost)

    def pixels(one: Found) -> float:
        """Of the trigger, where a probe that it does not turn counts as the whole image."""
        return one.size + height * width * (1 - one.success)

    nearest = _first(effects.nearest, labels, choice.considered)
    considered = dict.fromkeys([*nearest, *_first(effects.most_moved, labels, choice.considered)])
    saved = choice.race_passes(len(labels)) - race_passes(len(considered), choice.rungs, choice.raced)
    search.budget.foresee(-saved)
    stood = {one.goal: one for one in race(racing, list(considered), start, brief, choice.rungs, choice.raced, pixels)}
    chosen = dict.fromkeys([*list(stood)[: choice.raced], *nearest[: choice.nearest]])
    return {label: coarse.enlarge(stood[label].params) for label in chosen}


def _first(values: Tensor, labels: Sequence[int], count: int) -> list[int]:
    """The `count` labels of the largest values (all labels,), in that order."""
    order = values[list(labels)].argsort(descending=True)[:count].tolist()
    return [labels[place] for place in order]
