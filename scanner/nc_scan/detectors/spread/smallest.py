"""The smallest change of a family that leads images to each label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator

from nc_scan.detectors.patch.trust import at_common_scale
from nc_scan.probes import ProbeSet
from nc_scan.search import Budget, Found, Search, SearchSettings, Start, passes_on, towards_from_others
from nc_scan.search.objective import Objective
from nc_scan.subject import Subject
from nc_scan.triggers import TriggerFamily


def smallest_changes(
    subject: Subject,
    probes: ProbeSet,
    family: TriggerFamily,
    settings: SearchSettings,
    generator: Generator,
    budget: Budget,
) -> list[Found]:
    """Solves min over θ of CE(scores(x changed by θ), label) + λ size(θ) for every label, from random starts."""
    images = torch.from_numpy(probes.search).to(subject.device)
    own = torch.from_numpy(probes.search_labels).to(subject.device)
    scores = at_common_scale(subject, probes.search)

    def start(goals: Sequence[int]) -> Start:
        cost = torch.full((len(goals) * settings.starts,), settings.cost, device=images.device)
        return Start(family.start(images, len(goals), settings.starts, generator), cost)

    with passes_on(images.device) as run_all:
        objective = Objective(family, scores, subject.affine, towards_from_others, run_all)
        return Search(objective, images, own, generator, budget)(range(subject.contract.labels), start, settings)
