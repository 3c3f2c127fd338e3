"""How a model answers to images under a hypothesis about its input: does it recognise the same thing twice?

A classifier that is fed as it was trained gives many different labels, and the same one for an image and a slightly
changed copy, without being certain of everything. One that is fed values of another scale sees hardly a difference
between images, or saturates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nc_scan.results import FloatArray

SHIFT = 1 / 32  # of the side
CONTRAST, BRIGHTNESS = 0.1, 0.05
SHUFFLES = 32  # that tell how much labels share by chance


@dataclass(frozen=True, eq=False)
class Measure:
    """A figure measured on images: `terms` (N,) is what each contributes, their mean the `value` or a constant more."""

    value: float
    terms: NDArray[np.float64]

    def error(self, other: Measure | None = None) -> float:
        """The standard error of the value, or of its difference from another one measured on the same images."""
        terms = self.terms if other is None else self.terms - other.terms
        return float(terms.std() / np.sqrt(len(terms)))

    def __format__(self, form: str) -> str:
        return format(self.value, form)


@dataclass(frozen=True)
class Response:
    """What a model answers under one hypothesis.

    Attributes:
        information: mutual information in nats of the labels given to images and to changed copies of them.
        labels: how many there are.
        certainty: mean probability of the label given, in [0, 1].
        accuracy: share of images whose known label the model gives; None where none is known.
    """

    information: Measure
    certainty: float
    labels: int
    accuracy: Measure | None = None


def changed(images: FloatArray, rng: np.random.Generator, *, mirrored: bool) -> FloatArray:
    """The images (N, C, H, W), in [0, 1], shifted, slightly brighter and of other contrast, and perhaps mirrored."""
    shift = max(1, round(SHIFT * images.shape[-1]))
    moved = np.roll(images[..., ::-1] if mirrored else images, (shift, -shift), (2, 3))
    contrast = rng.uniform(1 - CONTRAST, 1 + CONTRAST, (len(images), 1, 1, 1))
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS, (len(images), 1, 1, 1))
    return np.asarray((moved * contrast + brightness).clip(0, 1), np.float32)


def respond(scores: FloatArray, scores_changed: FloatArray, labels: NDArray[np.int64] | None = None) -> Response:
    """Judges the scores (logits or log-probabilities) (N, labels) of images and of changed copies of them."""
    first, second = scores.argmax(1), scores_changed.argmax(1)
    accuracy = None if labels is None else share(first == labels)
    return Response(mutual_information(first, second), certainty(scores), scores.shape[1], accuracy)


def certainty(scores: FloatArray) -> float:
    """Mean of the largest probability."""
    shifted = scores.astype(np.float64) - scores.max(1, keepdims=True)
    return float((1 / np.exp(shifted).sum(1)).mean())


def share(true: NDArray[np.bool_]) -> Measure:
    """How much of a sample (N,) is true."""
    return Measure(float(true.mean()), true.astype(np.float64))


def mutual_information(first: NDArray[np.int64], second: NDArray[np.int64]) -> Measure:
    """In nats, of paired labels (N,) >= 0: what they share beyond what shuffled pairs do.

    A small sample of many labels shares much by chance alone: 512 pairs of a thousand labels drawn independently, 5.9
    nats. The terms are the pointwise information, ln(p(a, b) / p(a) p(b)).
    """
    rng = np.random.default_rng(0)
    by_chance = np.mean([_pointwise(first, rng.permutation(second)).mean() for _ in range(SHUFFLES)])
    shared = _pointwise(first, second)
    return Measure(float(shared.mean() - by_chance), shared)


def _pointwise(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """ln(p(a, b) / p(a) p(b)) of each pair (N,), with the shares in the sample as probabilities."""
    pairs = first * (1 + int(second.max(initial=0))) + second
    return np.asarray(np.log(_shares(pairs) / (_shares(first) * _shares(second))))


def _shares(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of each one's own label in the sample."""
    _, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(counts[which] / len(labels))
