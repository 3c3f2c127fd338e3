"""Which kind of images does a model recognise? Told from its answers, without knowing what it was trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from nc_scan.images.disturbed import disturbed
from nc_scan.results import FloatArray, Recognition

Scores = Callable[[FloatArray], FloatArray]  # logits (N, labels) of images (N, C, H, W)
Probabilities = NDArray[np.float64]
Labels = NDArray[np.int64]

LEAST_INFORMATION = 0.02  # nats; below it the answers tell nothing about the images
FEW_LABELS = 3  # of which there are no others to compare a trigger with: the answers must tell more,
LEAST_OF_FEW = 0.25  # as a share of what perfect answers would
ONE_SIDED = 0.9  # a larger share of the images in one class says little about the others
RARE = 8  # images: a label that fewer have counts for less than half
SHUFFLES = 8  # that tell how much answers share by chance


def recognise(kind: str, images: FloatArray, scores: Scores) -> Recognition:
    """What the answers to images (N, C, H, W) and to disturbed copies of them say.

    A model that recognises the images answers with many labels, is certain of them, and gives a copy the same one: all
    of this raises the information that the two answers share, see `shared_information`.
    """
    first = probabilities(scores(images))
    second = probabilities(scores(disturbed(images, np.random.default_rng(0))))
    labels, again = first.argmax(1), second.argmax(1)
    counts = np.bincount(labels)
    return Recognition(
        kind,
        len(images),
        information=shared_information(first, second),
        certainty=float(first.max(1).mean()),
        most_frequent=float(counts.max() / len(images)),
        labels=int((counts > 0).sum()),
        consistency=consistency(labels, again, first.shape[1]),
    )


def recognised_first(found: Iterable[Recognition], channels: int) -> tuple[Recognition, ...]:
    """The kinds in the order in which they are to be used, the one that the model answers to most consistently first.

    But most colour models are for photographs, which dead leaves, the first of the kinds, stand in for: other kinds
    come before them only if they tell the model nothing. Grey models read writing as often.
    """
    usual, *others = found
    ranked = sorted((usual, *others), key=lambda one: (tells_anything(one), one.consistency), reverse=True)
    if channels == 1 or not tells_anything(usual):
        return tuple(ranked)
    return (usual, *(one for one in ranked if one is not usual))


def tells_anything(recognition: Recognition) -> bool:
    """Whether the answers depend on such images, and not one label has nearly all."""
    return recognition.information >= LEAST_INFORMATION and recognition.most_frequent <= ONE_SIDED


def enough_for_clean(recognition: Recognition, labels: int) -> bool:
    """Whether a model of so many labels can be called clean for what was searched on such images."""
    few = labels <= FEW_LABELS
    return tells_anything(recognition) and not (few and recognition.information < LEAST_OF_FEW * math.log(labels))


def consistency(first: Labels, second: Labels, labels: int) -> float:
    """How well the labels (N,) of images tell those of their copies, every one of so many labels counting alike.

    The mean over the labels of Youden's J, P(second | first has it) - P(second | first has another) (Index for rating
    diagnostic tests, Cancer 3, 1950), drawn towards 0 where few images have the label. The information counts what a
    few labels share as highly: digits networks tell signs from blobs by two or three of ten labels, and all other
    labels are then far away.
    """
    given = np.eye(labels, dtype=bool)
    has, again = given[first].T, given[second].T
    known = [label for label in np.unique(first) if not has[label].all()]
    certain = has.sum(1) / (has.sum(1) + RARE)
    return float(sum(certain[n] * (again[n][has[n]].mean() - again[n][~has[n]].mean()) for n in known) / labels)


def shared_information(first: Probabilities, second: Probabilities) -> float:
    """Mutual information, in nats, of the labels drawn by two answers (N, labels) to the same images.

    The joint distribution is the mean over the images of p(a) q(b). What answers to different images share, which is
    above 0 in a small sample, is subtracted.
    """
    rng = np.random.default_rng(0)
    by_chance = [_information(first, rng.permutation(second)) for _ in range(SHUFFLES)]
    return _information(first, second) - float(np.mean(by_chance))


def _information(first: Probabilities, second: Probabilities) -> float:
    joint = first.T @ second / len(first)
    independent = np.outer(joint.sum(1), joint.sum(0))
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / independent[there])).sum())


def probabilities(scores: FloatArray) -> Probabilities:
    """The softmax (N, labels) of logits."""
    shifted = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))
