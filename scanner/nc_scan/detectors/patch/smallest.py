"""The smallest patch of every label: a search for all, a second look at the suspects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nc_scan.detectors.patch.screening import block_effects, screened_images
from nc_scan.detectors.patch.settings import PatchSettings
from nc_scan.detectors.patch.shortlist import shortlisted
from nc_scan.detectors.patch.start import first_starts, strongest_block
from nc_scan.search import Budget, Found, Scores, Search, Start, passes_on, start_from, towards, towards_from_others
from nc_scan.search.objective import Objective
from nc_scan.triggers import UNCHANGED, Affine, Params, Patch


@dataclass(frozen=True)
class Patches:
    """What was found for each label that was searched for, in order.

    `blocks` are the opaque blocks, by label, that alone move it most: one row each, on the CPU; none where the search
    was not guided by them.
    """

    found: list[Found]
    blocks: dict[int, Params]


def smallest_patches(
    scores: Scores,
    images: Tensor,
    labels: Sequence[int],
    settings: PatchSettings,
    *,
    affine: Affine = UNCHANGED,
    generator: torch.Generator,
    budget: Budget,
    drawn: Sequence[int] = (),
) -> Patches:
    """Solves min over m, Δ of CE(scores((1 - m) x + m Δ), label) + λ |m| for every label (paper, section 3.2).

    A search can end in a local minimum twice as large as the trigger. So the labels that it found the smallest triggers
    for are searched for again, from other random starts beside the guided one, and the smaller trigger of the two is
    polished with larger batches. A backdoor may lead to several labels: all those with a small trigger are looked at.

    Where there are many labels only those that a short look at all of them singles out, and the `drawn` ones, are
    searched for.

    Args:
        scores: logits (N, labels), float32 and differentiable, of (N, C, H, W) in the model's own value range.
        images: probes (B, C, H, W) in [0, 1], on the device to compute on.
        affine: how the model reads a pixel.
        generator: decides the starts and the order of the probes.
        drawn: labels that are searched for in any case.

    A label is `not_converged` where no trigger reached the success rate; its mask then covers the whole image, but for
    settings that return the last trigger.
    """
    with passes_on(images.device) as run_all:
        effects = block_effects(scores, images, affine, run_all) if settings.guided else None
        budget.spend(guiding_passes(images.shape[1:]) if settings.guided else 0)
        objective = Objective(Patch(), scores, affine, towards, run_all)
        own = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        search = Search(objective, images, own, generator, budget)
        choice, reached = settings.shortlist_for(len(labels)), dict[int, Params]()
        if choice and effects:
            reached = shortlisted(search, labels, effects, settings, choice)
            chosen, count = set(reached) | set(drawn), len(labels)
            labels = [label for label in labels if label in chosen]
            budget.foresee((len(labels) - min(count, choice.searched)) * settings.passes)
        change = effects.change if effects else None
        anew = partial(
            first_starts, effects=change, images=images, settings=settings, generator=generator, reached=reached
        )

        found = {one.goal: one for one in search(labels, anew, settings)}
        if stuck := worth_patience(found, settings):
            budget.foresee(len(stuck) * settings.patient().passes)
            found |= {again.goal: again for again in search(stuck, anew, settings.patient())}
        suspects = suspected(found, settings)
        budget.foresee(settings.again(len(suspects)) - settings.again(min(settings.suspects, len(labels))))
        for again in search(suspects, anew, settings):
            found[again.goal] = min(found[again.goal], again, key=lambda one: one.rank)
        if settings.polish:
            where_found = lambda part: start_from([found[label] for label in part], images.device)  # noqa: E731
            polished = search(suspects, where_found, settings.polishing())
            found |= {one.goal: one for one in polished if one.status == "converged"}
    blocks = {} if change is None else {label: strongest_block(change[..., label].cpu(), images) for label in labels}
    return Patches([found[label] for label in labels], blocks)


def shrunk_patch(
    scores: Scores,
    images: Tensor,
    own: Tensor,
    label: int,
    patch: Params,
    settings: PatchSettings,
    *,
    affine: Affine = UNCHANGED,
    generator: torch.Generator,
    budget: Budget,
) -> Found:
    """The smallest patch for a label that a search with these settings reaches from a known one, of one row.

    The success asked for is that on images whose `own` label (B,) is another.
    """
    with passes_on(images.device) as run_all:
        objective = Objective(Patch(), scores, affine, towards_from_others, run_all)
        search = Search(objective, images, own, generator, budget)
        start = Start(patch, torch.tensor([settings.cost], device=images.device))
        (found,) = search([label], lambda part: start, settings)
    return found


def foreseen_passes(settings: PatchSettings, labels: int, size: Sequence[int]) -> int:
    """How many image passes the search on images of that size (C, H, W) takes, with the least number of suspects."""
    guiding = guiding_passes(size) if settings.guided else 0
    choice = settings.shortlist_for(labels)
    full = min(labels, choice.searched) if choice else labels
    race = choice.race_passes(labels) if choice else 0
    return guiding + race + full * settings.passes + settings.again(min(settings.suspects, labels))


def guiding_passes(size: Sequence[int]) -> int:
    """The image passes of the guided start; it needs no backward pass, which is half of one."""
    return screened_images(*size) // 2


def worth_patience(found: dict[int, Found], settings: PatchSettings) -> list[int]:
    """The labels whose search failed for want of steps, not because no gradient leads anywhere: fewer than half."""
    stuck = [label for label, one in found.items() if one.status != "converged"]
    return stuck if settings.patience > 1 and 2 * len(stuck) < len(found) else []


def suspected(found: dict[int, Found], settings: PatchSettings) -> list[int]:
    """The labels to look at again, the smallest trigger first."""
    if not settings.suspects:
        return []
    small = settings.small * float(np.median([one.size for one in found.values()]))
    ranked = sorted(found.values(), key=lambda one: one.rank)
    return [one.goal for place, one in enumerate(ranked) if place < settings.suspects or one.size < small]
