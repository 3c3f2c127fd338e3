"""The smallest trigger of every label: a search for all, a second look at the suspects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nc_scan.inversion.evaluate import CHUNK_VALUES, Scores, evaluate_triggers
from nc_scan.inversion.found import Inversion
from nc_scan.inversion.passes import passes_on
from nc_scan.inversion.screening import block_effects, screened_images
from nc_scan.inversion.search import search
from nc_scan.inversion.settings import InversionSettings
from nc_scan.inversion.start import Start, first_starts, start_from

OnProgress = Callable[[int, int], None]
StartOf = Callable[[Sequence[int]], Start]


def invert(
    scores: Scores,
    images: Tensor,
    labels: Sequence[int],
    settings: InversionSettings,
    *,
    scale: Sequence[float] = (1.0,),
    offset: Sequence[float] = (0.0,),
    generator: torch.Generator,
    on_progress: OnProgress = lambda done, total: None,
) -> list[Inversion]:
    """Solves min over m, Δ of CE(scores((1 - m) x + m Δ), label) + λ |m| for every label (paper, section 3.2).

    A search can end in a local minimum twice as large as the trigger. So the labels that it found the smallest triggers
    for are searched for again, from other random starts beside the guided one, and the smaller trigger of the two is
    polished with larger batches. A backdoor may lead to several labels: all those with a small trigger are looked at.

    Args:
        scores: logits (N, labels), float32 and differentiable, of (N, C, H, W) in the model's own value range.
        images: probes (B, C, H, W) in [0, 1], on the device to compute on.
        scale, offset: the model's input contract, one value or one a channel: it reads pixel * scale + offset.
        generator: decides the starts and the order of the probes.
        on_progress: called with the number of stamped images computed so far, and how many there will be; that grows
            where there are more suspects than the least number.

    Returns:
        one Inversion a label, in order. A label is `not_converged` where no trigger reached the success rate; its mask
        then covers the whole image, but for settings that return the last trigger.
    """
    screened = screened_images(images) // 2 if settings.guided else 0  # no backward pass
    total, done = screened + settings.images(len(labels), len(images)), 0

    def count(images: int) -> None:
        nonlocal done
        done += images
        on_progress(done, total)

    with passes_on(images.device) as run_all:
        evaluate = partial(evaluate_triggers, scores, scale, offset, run_all)
        effects = block_effects(scores, images, scale, offset, run_all) if settings.guided else None
        count(screened)

        def run(labels: Sequence[int], settings: InversionSettings, start: StartOf) -> list[Inversion]:
            size = max(1, CHUNK_VALUES // (settings.images_a_step * images[0].numel()))
            parts = [labels[first : first + size] for first in range(0, len(labels), size)]
            return [
                one for part in parts for one in search(evaluate, images, part, start(part), settings, generator, count)
            ]

        def anew(labels: Sequence[int]) -> Start:
            return first_starts(labels, effects, images, settings, generator)

        def where_found(labels: Sequence[int]) -> Start:
            return start_from([found[label] for label in labels], images.device)

        found = {one.label: one for one in run(labels, settings, anew)}
        suspects = _suspects(found, settings)
        total = screened + settings.images(len(labels), len(images), len(suspects))
        for again in run(suspects, settings, anew):
            found[again.label] = min(found[again.label], again, key=lambda one: one.rank)
        if settings.polish:
            polished = run(suspects, settings.polishing(), where_found)
            found |= {one.label: one for one in polished if one.status == "converged"}
    return [found[label] for label in labels]


def _suspects(found: dict[int, Inversion], settings: InversionSettings) -> list[int]:
    """The labels to look at again, the smallest trigger first."""
    if not settings.suspects:
        return []
    small = settings.small * float(np.median([one.norm for one in found.values()]))
    ranked = sorted(found.values(), key=lambda one: one.rank)
    return [one.label for place, one in enumerate(ranked) if place < settings.suspects or one.norm < small]
