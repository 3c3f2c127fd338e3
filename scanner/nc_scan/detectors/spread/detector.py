"""The smallest change of the whole image for every label, on images of several kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator

from nc_scan.detectors.replay import share_turned
from nc_scan.detectors.spread.chart import picture
from nc_scan.detectors.spread.families import ADDITIVE, FREQUENCY, WARP, Family
from nc_scan.detectors.spread.margins import common_margins, scores
from nc_scan.detectors.spread.smallest import smallest_changes
from nc_scan.probes import ProbeSet, mixed_probes
from nc_scan.results import WORKS, Evidence, FloatArray
from nc_scan.search import Budget, Found
from nc_scan.standouts import ENOUGH
from nc_scan.subject import Subject
from nc_scan.triggers import UNCHANGED, Params, TriggerFamily

# What is found turns no more images than the search asked for; shown is the first of these multiples that turns WORKS.
STRONGER = (1, 2, 4)
MOST = 50  # labels: each is searched for in full, in every family and on every kind of images
LARGEST = 64  # pixels a side: the clean models whose scores are known read no larger images


class Shown(NamedTuple):
    """A change with its size, and the share of the held-out images of each kind that it turns at least."""

    params: Params
    size: float
    rate: float


class SpreadSearch:
    """One label that a change of the whole image leads to far more easily than to all others.

    Every label is searched for twice in each family: on the probes of the scan, and on synthetic images of all kinds.
    """

    name: str
    title: str
    covers: frozenset[str]
    families: tuple[Family, ...]
    needs_gradients = True

    def cost(self, subject: Subject) -> int:
        """That of all searches; none where the labels are too few to compare or too many to search for."""
        if _unsuited(subject):
            return 0
        return 2 * subject.contract.labels * sum(family.settings.passes for family in self.families)

    def run(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        """The label that stands out farthest, and by how much; nothing of what it covers where it did not look."""
        if unsuited := _unsuited(subject):
            return Evidence(self.name, (), reason=f"not looked for: {self.title} ({unsuited})")
        if no_time := _unaffordable(self.cost(subject), budget):
            return Evidence(self.name, tuple(sorted(self.covers)), not_run=no_time, gave_up=no_time)
        every = _images_of_every_kind(subject, probes, generator)
        found = [
            [smallest_changes(subject, one, family.changes, family.settings, generator, budget) for one in every]
            for family in self.families
        ]
        return self._weighed(subject, every, found)

    def _weighed(self, subject: Subject, every: Sequence[ProbeSet], found: Sequence[Sequence[list[Found]]]) -> Evidence:
        """What was found for each family, each kind of images and each label as evidence; the first family is shown."""
        sizes = [[[one.size for one in labels] for labels in by_images] for by_images in found]
        by_family = [common_margins(by_images) for by_images in sizes]
        family, first = self.families[0].changes, found[0]
        whole = float(family.size(family.largest(first[0][0].params))[0])
        standing_out = scores(by_family, sizes[0], whole)
        label = int(standing_out.argmax())
        best = max((by_images[label] for by_images in first), key=lambda one: one.size)
        names = [f"margin, {type(one.changes).__name__.lower()}" for one in self.families]
        margins = {name: float(one[label]) for name, one in zip(names, by_family, strict=True)}
        statistics = {"score": float(standing_out[label]), "size": best.size / whole, **margins}
        covers = tuple(sorted(self.covers))
        if best.status != "converged":
            nothing = f"{self.title}: none leads to one label on images of every kind"
            return Evidence(self.name, covers, reason=nothing, success_rate=0.0, statistics=statistics)
        shown = _shown(subject, every, family, best)
        return Evidence(
            self.name,
            covers,
            reason=self.in_words(label, shown, whole, next_one(first, label)),
            target_labels=(label,),
            success_rate=shown.rate,
            statistics=statistics,
            trigger=picture(family, shown.params, subject.contract.size),
        )

    def in_words(self, label: int, shown: Shown, whole: float, others: str) -> str:
        """What was found, in a sentence."""
        change = f"{self.how_large(shown.size, whole)} turns {shown.rate:.0%} of the images to label {label}"
        return f"{self.title}: {change}{others}"

    def how_large(self, size: float, whole: float) -> str:
        """A change of that size in words, where the largest has the size `whole`."""
        return f"one of {size / whole:.1%} of the range (root mean square)"


class PatternSearch(SpreadSearch):
    """A pattern that is added to the image: noise or a faint picture, stripes, a smooth field."""

    name = "pattern"
    title = "a faint pattern over the whole image"
    covers = frozenset({"blended", "sig", "low-frequency", "adaptive-blend"})
    families = (ADDITIVE, FREQUENCY)


class WarpSearch(SpreadSearch):
    """A smooth warp of the image, by fractions of a pixel."""

    name = "warp"
    title = "a warp of the whole image"
    covers = frozenset({"wanet"})
    families = (WARP,)

    def how_large(self, size: float, whole: float) -> str:  # noqa: ARG002
        """In pixels."""
        return f"one by {size:.2f} pixels"


def _unsuited(subject: Subject) -> str:
    """Why a model is not looked at, empty where it is."""
    contract = subject.contract
    if contract.layout == "features":
        return "the input is no image"
    if max(contract.height, contract.width) > LARGEST:
        return f"{contract.width}x{contract.height} pixels are more than the models had that it is judged by"
    if contract.labels < ENOUGH:
        return f"{contract.labels} labels are too few to stand out from"
    return f"{contract.labels:,} labels are too many" if contract.labels > MOST else ""


def next_one(first: Sequence[list[Found]], label: int) -> str:
    """How much more the next label takes, on the kind of images where that is least, or that none is reached."""
    ratios = []
    for by_images in first:
        others = [one.size for one in by_images if one.goal != label and one.status == "converged"]
        ratios.append(min(others, default=math.inf) / by_images[label].size)
    if math.isinf(min(ratios)):
        return "; no other label is reached"
    return f"; the next label takes {min(ratios):.1f} times as much" if min(ratios) > 1 else ""


def _unaffordable(cost: int, budget: Budget) -> str:
    """Why there is no time for it, empty where there is."""
    if budget.affordable is None or cost <= budget.affordable:
        return ""
    return f"it takes about {cost:,} image passes, there is time for {budget.affordable:,}"


def _images_of_every_kind(subject: Subject, probes: ProbeSet, generator: Generator) -> tuple[ProbeSet, ProbeSet]:
    """The probes of the scan, and synthetic ones of all kinds."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return probes, mixed_probes(subject.contract.size, subject.deployed_scores, np.random.default_rng(seed))


def _shown(subject: Subject, every: Sequence[ProbeSet], family: TriggerFamily, found: Found) -> Shown:
    """The change that was found, as strong as it takes to turn WORKS; if none does, as strong as it turns most."""
    tried = list[Shown]()
    for times in STRONGER:
        tried.append(_replayed(subject, every, family, found, times))
        if tried[-1].rate >= WORKS:
            break
    return max(tried, key=lambda one: one.rate)


def _replayed(subject: Subject, every: Sequence[ProbeSet], family: TriggerFamily, found: Found, times: int) -> Shown:
    """The change that was found, so many times as strong, on the deployed model."""
    params = {name: times * values for name, values in found.params.items()}

    def changed(images: FloatArray) -> FloatArray:
        return np.asarray(family.stamp(torch.from_numpy(images), params, UNCHANGED)[0].numpy())

    rates = np.nan_to_num([share_turned(subject, probes, found.goal, changed) for probes in every])  # 0 of no images
    return Shown(params, float(family.size(params)[0]), float(rates.min()))
