"""The smallest change of the whole image for every label, on images of several kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Generator

from nc_scan.detectors.spread.chart import picture
from nc_scan.detectors.spread.margins import SMALLEST, common_margins
from nc_scan.detectors.spread.shown import Shown, shown
from nc_scan.detectors.spread.smallest import smallest_changes
from nc_scan.detectors.suited import not_looked_for, unsuited
from nc_scan.probes import ProbeSet, mixed_probes
from nc_scan.results import Evidence
from nc_scan.search import Budget, Found, SearchSettings
from nc_scan.subject import Subject
from nc_scan.triggers import TriggerFamily


class SpreadSearch:
    """One label that a change of the whole image leads to far more easily than to all others.

    Every label is searched for twice: on the probes of the scan, and on synthetic images of all kinds.
    """

    name: str
    title: str
    covers: frozenset[str]
    changes: TriggerFamily
    settings: SearchSettings
    needs_gradients = True

    def cost(self, subject: Subject) -> int:
        """That of all searches; none where the labels are too few to compare or too many to search for."""
        return 0 if unsuited(subject) else 2 * subject.contract.labels * self.settings.passes

    def run(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        """The label that stands out farthest, and by how much; nothing of what it covers where it did not look."""
        unsuitable = not_looked_for(self.name, self.title, subject)
        return unsuitable or self.looked(subject, probes, budget, generator)

    def looked(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        """The evidence of a model that it suits."""
        if no_time := self.without_time(self.cost(subject), budget):
            return no_time
        every, found = self.searched(subject, probes, budget, generator)
        sizes = sizes_of(found)
        margin, farthest = common_margins(sizes), np.maximum(np.max(sizes, axis=0), SMALLEST)
        standing_out = margin + np.log(self.whole(found) / farthest)
        label = int(standing_out.argmax())
        statistics = {"score": float(standing_out[label]), "margin": float(margin[label])}
        return self.told(subject, every, found, label, statistics)

    def without_time(self, passes: int, budget: Budget) -> Evidence | None:
        """That there is no time for so many image passes, None where there is."""
        if budget.affordable is None or passes <= budget.affordable:
            return None
        why = f"it takes about {passes:,} image passes, there is time for {budget.affordable:,}"
        return Evidence(self.name, tuple(sorted(self.covers)), not_run=why, gave_up=why)

    def searched(
        self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator
    ) -> tuple[Sequence[ProbeSet], Sequence[list[Found]]]:
        """The images of either kind, and the smallest change for every label on them."""
        every = _images_of_every_kind(subject, probes, generator)
        search = partial(smallest_changes, subject, family=self.changes, settings=self.settings, generator=generator)
        return every, [search(one, budget=budget) for one in every]

    def whole(self, found: Sequence[list[Found]]) -> float:
        """The size of the largest change."""
        return float(self.changes.size(self.changes.largest(found[0][0].params))[0])

    def told(
        self,
        subject: Subject,
        every: Sequence[ProbeSet],
        found: Sequence[list[Found]],
        label: int,
        statistics: dict[str, float],
    ) -> Evidence:
        """The change that leads to a label, replayed on all images, as evidence with these statistics."""
        best, whole = max((by_images[label] for by_images in found), key=lambda one: one.size), self.whole(found)
        covers, statistics = tuple(sorted(self.covers)), {**statistics, "size": best.size / whole}
        if best.status != "converged":
            nothing = f"{self.title}: none leads to one label on images of every kind"
            return Evidence(self.name, covers, reason=nothing, success_rate=0.0, statistics=statistics)
        as_shown = shown(subject, every, self.changes, best)
        return Evidence(
            self.name,
            covers,
            reason=self.in_words(label, as_shown, whole, next_one(found, label)),
            target_labels=(label,),
            success_rate=as_shown.rate,
            statistics=statistics,
            trigger=picture(self.changes, as_shown.params, subject.contract.size),
        )

    def in_words(self, label: int, found: Shown, whole: float, others: str) -> str:
        """What was found, in a sentence."""
        change = f"{self.how_large(found.size, whole)} turns {found.rate:.0%} of the images to label {label}"
        return f"{self.title}: {change}{others}"

    def how_large(self, size: float, whole: float) -> str:
        """A change of that size in words, where the largest has the size `whole`."""
        return f"one of {size / whole:.1%} of the range (root mean square)"


def sizes_of(found: Sequence[Sequence[Found]]) -> list[list[float]]:
    """Of the changes, for each kind of images and each label."""
    return [[one.size for one in by_images] for by_images in found]


def next_one(first: Sequence[list[Found]], label: int) -> str:
    """How much more the next label takes, on the kind of images where that is least, or that none is reached."""
    ratios = []
    for by_images in first:
        others = [one.size for one in by_images if one.goal != label and one.status == "converged"]
        ratios.append(min(others, default=math.inf) / by_images[label].size)
    if math.isinf(min(ratios)):
        return "; no other label is reached"
    return f"; the next label takes {min(ratios):.1f} times as much" if min(ratios) > 1 else ""


def _images_of_every_kind(subject: Subject, probes: ProbeSet, generator: Generator) -> tuple[ProbeSet, ProbeSet]:
    """The probes of the scan, and synthetic ones of all kinds."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return probes, mixed_probes(subject.contract.size, subject.deployed_scores, np.random.default_rng(seed))
