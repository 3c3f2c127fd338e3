"""The images that a scan searches triggers on: chosen by predicted label, and split for search and replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nc_scan.probes.candidates import Candidates
from nc_scan.results import FloatArray

Predict = Callable[[FloatArray], NDArray[np.int64]]


@dataclass(frozen=True)
class ProbeSet:
    """Probe images, float32 (N, channels, height, width) in [0, 1]; `labels` are those that the deployed model
    predicts.

    `search` serves the inversion; `held_out`, disjoint from it, serves the replay. `labels_before_thinning` (M,) are
    those of all images that these were chosen from by predicted label, M >= N.
    """

    source: str
    search: FloatArray
    search_labels: NDArray[np.int64]
    held_out: FloatArray
    held_out_labels: NDArray[np.int64]
    labels_before_thinning: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The predicted labels of all probes, those of the search first."""
        return np.concatenate([self.search_labels, self.held_out_labels])


def choose_probes(candidates: Candidates, predict: Predict) -> ProbeSet:
    """As many of the candidates as are wanted: the labels predicted most often are thinned out."""
    labels = predict(candidates.images)
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
