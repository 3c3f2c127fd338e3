"""The smallest patch that moves images away from whatever label they have, and where they go."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from nc_scan.detectors.patch.screening import block_effects
from nc_scan.detectors.patch.smallest import guiding_passes
from nc_scan.detectors.patch.start import first_starts
from nc_scan.results import FloatArray
from nc_scan.search import Budget, Found, Search, SearchSettings, away, passes_on
from nc_scan.search.objective import Objective
from nc_scan.subject import Subject
from nc_scan.triggers import Patch

Labels = NDArray[np.int64]
Transitions = NDArray[np.int64]
"""How many images went from each label (row) to each (column)."""


def smallest_change(
    subject: Subject,
    images: FloatArray,
    own: Labels,
    settings: SearchSettings,
    generator: Generator,
    budget: Budget,
) -> Found:
    """Solves min over m, Δ of mean -log(1 - p(own label | (1 - m) x + m Δ)) + λ |m|.

    The first start is at the blocks that take most from the own labels, the others are random.

    Args:
        images, own: probes (B, C, H, W) in [0, 1] and the labels (B,) that the model gives them.
    """
    probes, labels = torch.from_numpy(images).to(subject.device), torch.from_numpy(own).to(subject.device)

    with passes_on(probes.device) as run_all:
        effects = block_effects(subject.scores, probes, subject.affine, run_all, labels).change
        budget.spend(guiding_passes(probes.shape[1:]))
        start_of = partial(first_starts, effects=effects, images=probes, settings=settings, generator=generator)
        objective = Objective(Patch(), subject.scores, subject.affine, away, run_all)
        (found,) = Search(objective, probes, labels, generator, budget)([0], start_of, settings)
    return found


def transitions(before: Labels, after: Labels, labels: int) -> Transitions:
    """That of images with these labels (N,) before and after, (labels, labels)."""
    counts = np.zeros((labels, labels), np.int64)
    np.add.at(counts, (before, after), 1)
    return counts


def information(counts: Transitions) -> float:
    """The mutual information of label before and label after, in nats, less the bias of so few images; at least 0.

    Of independent labels the estimate is too large by (rows - 1) (columns - 1) / 2N in the mean, for N images with so
    many labels before and after (Miller, Note on the bias of information estimates, 1955).
    """
    total = counts.sum()
    if not total:
        return 0.0
    joint = counts / total
    before, after = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
    there = joint > 0
    found = float((joint[there] * np.log(joint[there] / (before * after)[there])).sum())
    bias = (np.count_nonzero(before) - 1) * (np.count_nonzero(after) - 1) / (2 * total)
    return max(0.0, found - float(bias))
