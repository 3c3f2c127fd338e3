"""One search: from a start to the smallest trigger of every label, all labels in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from nc_scan.inversion.adam import StackedAdam
from nc_scan.inversion.evaluate import Evaluate
from nc_scan.inversion.found import Inversion
from nc_scan.inversion.progress import SearchProgress
from nc_scan.inversion.settings import InversionSettings
from nc_scan.inversion.start import Start
from nc_scan.results import Status

OnImages = Callable[[int], None]


def search(
    evaluate: Evaluate,
    images: Tensor,
    labels: Sequence[int],
    start: Start,
    settings: InversionSettings,
    generator: torch.Generator,
    on_images: OnImages,
) -> list[Inversion]:
    """Solves the objective for each label, from `settings.starts` rows of `start`, label after label.

    Calls `on_images` after each step with the number of stamped images that it computed.
    """
    masks = StackedAdam(start.masks, settings.mask_rate, settings.betas)
    patterns = StackedAdam(start.patterns, settings.pattern_rate, settings.betas)
    searched = torch.tensor(labels, device=images.device).repeat_interleave(settings.starts)
    progress = SearchProgress(searched, masks.values, patterns.values, start.cost, settings)
    for part in settings.rounds:
        best = progress.best(part.searches)
        for state in (masks, patterns, progress):
            state.keep(best)
        for batch in islice(_batches(images, part.batch, generator), part.steps):
            triggers = masks.values, patterns.values
            losses, turned, *gradients = evaluate(batch, (*triggers, progress.labels, progress.cost))
            on_images(len(progress.labels) * len(batch))
            progress.update(*triggers, turned, losses)
            masks.step(gradients[0])
            patterns.step(gradients[1])
    found = [_found(progress, row, settings) for row in range(len(progress.labels))]
    return [min((one for one in found if one.label == label), key=lambda one: one.rank) for label in labels]


def _batches(images: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches of shuffled probes, epoch after epoch; a last incomplete one is left out."""
    size = min(size, len(images))
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for start in range(0, len(images) - size + 1, size):
            yield images[order[start : start + size]]


def _found(progress: SearchProgress, row: int, settings: InversionSettings) -> Inversion:
    works = bool(progress.norm[row].isfinite() if settings.smallest else progress.success[row] >= settings.success)
    mask, pattern = progress.mask[row, 0].cpu().numpy(), progress.pattern[row].cpu().numpy()
    label = int(progress.labels[row])
    status: Status = "converged" if works else "not_converged"
    return Inversion(label, mask.copy(), pattern.copy(), float(mask.sum()), status, float(progress.cost[row]))
