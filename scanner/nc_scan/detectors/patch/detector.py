"""The detector: the smallest patch of every label, replayed on the deployed model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Generator

from nc_scan.audit.behaviour import eight_bits
from nc_scan.audit.blocks import strong_blocks
from nc_scan.detectors.patch.blocks import with_blocks
from nc_scan.detectors.patch.settings import ADAPTIVE, LIGHT, PatchSettings
from nc_scan.detectors.patch.smallest import foreseen_passes, shrunk_patch, smallest_patches
from nc_scan.detectors.patch.statistics import weigh
from nc_scan.detectors.patch.trust import at_common_scale, false_gradients
from nc_scan.detectors.replay import as_trigger, replayed
from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget
from nc_scan.subject import Subject


class PatchSearch:
    """The smallest patch of every label (Wang et al. 2019), with a cost weight that follows the success.

    Where some labels are `known` from an earlier search, each with whether it was drawn at random, those are searched
    for, and no others are looked at.
    """

    name = "patch"
    title = "the smallest patch of every label"
    covers = frozenset({"patch", "picture", "blended", "multi-target", "clean-label"})
    needs_gradients = True
    settings: ClassVar[PatchSettings] = ADAPTIVE

    def __init__(self, known: Mapping[int, bool] | None = None) -> None:
        self.known = known

    def cost(self, subject: Subject) -> int:
        """That of the search, with the least number of suspects."""
        return foreseen_passes(self._thorough(subject), self._looked_at(subject), subject.contract.size)

    def run(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        """The evidence of every label; which of it counts is for the verdict to say."""
        labels, covers = subject.contract.labels, tuple(sorted(self.covers))
        settings = self._planned(subject, budget)
        if settings is None:
            least = f"the search takes about {self.cost(subject):,} image passes"
            return Evidence(self.name, covers, not_run=f"{least}, there is time for {budget.affordable:,}")
        searched, drawn = self._searched(labels, settings, generator)
        scores = at_common_scale(subject, probes.search)
        images = torch.from_numpy(probes.search).to(subject.device)
        patches = smallest_patches(
            scores,
            images,
            searched,
            settings,
            affine=subject.affine,
            generator=generator,
            budget=budget,
            drawn=drawn,
        )
        triggers = {one.goal: as_trigger(one.params) for one in patches.found}
        found = replayed(subject, probes, triggers, {one.goal: one.status for one in patches.found})
        findings = false_gradients(subject, scores, probes, found)
        blocks = {label: as_trigger(params) for label, params in patches.blocks.items()}
        if findings or any(one.status == "not_converged" for one in found.values()):
            tried = strong_blocks(subject.deployed_labels, eight_bits(probes.held_out))
            blocks |= {block.label: block.trigger for block in tried}
        own = torch.from_numpy(probes.search_labels).to(subject.device)
        shrink = partial(shrunk_patch, scores, images, own, affine=subject.affine, generator=generator, budget=budget)
        found = with_blocks(subject, probes, found, blocks, settings, budget, shrink)
        evidence = Evidence(self.name, covers, labels=weigh(found, frozenset(drawn)), findings=findings)
        thorough = self._thorough(subject)
        if len(found) == labels and settings == thorough:
            return evidence
        likeliest = "those of the first search" if self.known else "the likeliest by a short look at all of them"
        reason = f"{len(found)} of {labels} labels were searched for: {likeliest}, and {len(drawn)} drawn at random"
        counts = {"labels": float(labels), "labels_searched": float(len(found)), "labels_drawn": float(len(drawn))}
        counts["light"] = float(thorough.rounds == LIGHT)  # a shorter search is no less light
        gave_up = "" if settings == thorough else f"time was short: {reason}"
        return dataclasses.replace(evidence, reason=reason, statistics=counts, gave_up=gave_up)

    def _searched(
        self, labels: int, settings: PatchSettings, generator: Generator
    ) -> tuple[Sequence[int], Sequence[int]]:
        """The labels that the search is among, and those of them that are drawn at random."""
        if self.known:
            return list(self.known), [label for label, at_random in self.known.items() if at_random]
        choice = settings.shortlist_for(labels)
        return range(labels), choice.draw(labels, generator) if choice else range(labels)

    def _looked_at(self, subject: Subject) -> int:
        """How many labels the search is among."""
        return len(self.known) if self.known else subject.contract.labels

    def _thorough(self, subject: Subject) -> PatchSettings:
        """The settings where time does not count; what is known needs no shortlist."""
        settings = self.settings.for_images(subject.contract.labels, subject.contract.size)
        return dataclasses.replace(settings, shortlist=None) if self.known else settings

    def _planned(self, subject: Subject, budget: Budget) -> PatchSettings | None:
        """The settings that there is time for, None where there is none."""
        thorough = self._thorough(subject)
        if budget.affordable is None:
            return thorough
        labels = self._looked_at(subject)
        passes = partial(foreseen_passes, labels=labels, size=subject.contract.size)
        planned = thorough.affordable(labels, passes, budget.affordable)
        if planned is not None:
            budget.foresee(passes(planned) - self.cost(subject))
        return planned
