"""The images that a scan searches triggers on: chosen by predicted label, and split for search and replay."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nc_scan.images.memory import Size
from nc_scan.probes.candidates import Candidates, mixed_candidates
from nc_scan.probes.recognition import Scores, recognise, recognised_first, tells_anything
from nc_scan.probes.supply import Supply
from nc_scan.results import FloatArray, Recognition


@dataclass(frozen=True)
class ProbeSet:
    """Probe images, float32 (N, channels, height, width) in [0, 1]; `labels` are those that the deployed model
    predicts.

    `search` serves the inversion; `held_out`, disjoint from it, serves the replay. `labels_before_thinning` (M,) are
    those of all images that these were chosen from by predicted label, M >= N. `recognised` says how the model answers
    to images of this kind and of the others, this one first; nothing where the images are no pictures.
    """

    source: str
    search: FloatArray
    search_labels: NDArray[np.int64]
    held_out: FloatArray
    held_out_labels: NDArray[np.int64]
    labels_before_thinning: NDArray[np.int64]
    recognised: tuple[Recognition, ...] = ()

    @property
    def labels(self) -> NDArray[np.int64]:
        """The predicted labels of all probes, those of the search first."""
        return np.concatenate([self.search_labels, self.held_out_labels])


def probes_for(supply: Supply, scores: Scores) -> ProbeSet:
    """Probes of the kind that a model recognises best; `scores` are its logits (N, labels) for images (N, C, H, W).

    Raises DataError as `Supply.candidates`.
    """
    if not supply.are_pictures:
        return choose_probes(supply.candidates(supply.kinds[0]), scores)
    found = [recognise(kind, supply.preview(kind), scores) for kind in supply.kinds]
    recognised = recognised_first(found, supply.channels)
    return replace(choose_probes(supply.candidates(recognised[0].kind), scores), recognised=recognised)


def probes_of_another_kind(supply: Supply, scores: Scores, first: ProbeSet) -> ProbeSet | None:
    """Probes of the kind that the model answers to most consistently after the first; None where it tells nothing."""
    others = first.recognised[1:]  # in that order already
    if not others or not tells_anything(others[0]):
        return None
    return replace(choose_probes(supply.candidates(others[0].kind), scores), recognised=(others[0],))


def mixed_probes(size: Size, scores: Scores, rng: np.random.Generator) -> ProbeSet:
    """Probes (C, H, W) of all synthetic kinds, chosen as those of one kind."""
    return choose_probes(mixed_candidates(size, rng), scores)


def choose_probes(candidates: Candidates, scores: Scores) -> ProbeSet:
    """As many of the candidates as are wanted: the labels predicted most often are thinned out."""
    labels = scores(candidates.images).argmax(1)
    kept = _balanced(labels, candidates)[candidates.mixed]
    searched, held_out = kept[: candidates.search], kept[candidates.search :]
    return ProbeSet(
        candidates.source,
        candidates.images[searched],
        labels[searched],
        candidates.images[held_out],
        labels[held_out],
        labels,
    )


def _balanced(labels: NDArray[np.int64], candidates: Candidates) -> NDArray[np.int64]:
    """Indices of those wanted, taken label by label in turn until none is left of a label."""
    order, wanted = candidates.order, candidates.search + candidates.held_out
    if wanted == len(order):
        return order
    turn = np.zeros(len(labels), np.int64)  # how many candidates of the same label come before this one
    for label in np.unique(labels):
        of_label = order[labels[order] == label]
        turn[of_label] = np.arange(len(of_label))
    return order[np.argsort(turn[order], kind="stable")][:wanted]
