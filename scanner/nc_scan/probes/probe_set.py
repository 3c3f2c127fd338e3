"""The images that a scan looks through the model with: made or given, and split for search and replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nc_scan.errors import DataError
from nc_scan.probes.dead_leaves import dead_leaves
from nc_scan.probes.memory import Size, affordable
from nc_scan.results import FloatArray

SEARCH, HELD_OUT = 1024, 256
FEWEST_SEARCH, FEWEST_HELD_OUT = 64, 32  # synthetic ones, however large
SURPLUS = 2  # synthetic images made for each one kept, so that the predicted labels can be balanced
FEWEST = 16

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


def synthetic_probes(channels: int, height: int, width: int, predict: Predict, rng: np.random.Generator) -> ProbeSet:
    """Dead leaves, twice as many as are kept: the labels predicted most often are thinned out.

    1,024 serve the search and 256 are held out, up to 224 x 224 x 3 values an image; of larger images fewer, so that
    all that are made take 1.5 GB, but 64 and 32 at least.
    """
    search, held_out = _counts((channels, height, width))
    images = dead_leaves(SURPLUS * (search + held_out), channels, height, width, rng)
    labels = predict(images)
    kept = rng.permutation(_balanced(labels, search + held_out, rng))
    return _split("dead leaves", images[kept], labels[kept], search, labels)


def user_probes(source: str, images: FloatArray, predict: Predict, rng: np.random.Generator) -> ProbeSet:
    """A random part of the user's images. Raises DataError for fewer than 16."""
    if len(images) < FEWEST:
        raise DataError(f"{source} holds {len(images)} images, a scan needs at least {FEWEST}")
    kept = rng.permutation(len(images))[: SEARCH + HELD_OUT]
    labels = predict(images[kept])
    return _split(source, images[kept], labels, min(SEARCH, len(kept) // 2), labels)


def _counts(size: Size) -> tuple[int, int]:
    """How many synthetic probes of that size serve the search, and how many are held out."""
    share = min(1.0, affordable(size) / (SURPLUS * (SEARCH + HELD_OUT)))
    return max(FEWEST_SEARCH, int(share * SEARCH)), max(FEWEST_HELD_OUT, int(share * HELD_OUT))


def _balanced(labels: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `wanted` samples, taken label by label in turn until none is left of a label."""
    order = rng.permutation(len(labels))
    turn = np.zeros(len(labels), np.int64)  # how many samples of the same label come before this one
    for label in np.unique(labels):
        of_label = order[labels[order] == label]
        turn[of_label] = np.arange(len(of_label))
    return order[np.argsort(turn[order], kind="stable")][:wanted]


def _split(
    source: str, images: FloatArray, labels: NDArray[np.int64], search: int, before_thinning: NDArray[np.int64]
) -> ProbeSet:
    return ProbeSet(source, images[:search], labels[:search], images[search:], labels[search:], before_thinning)
