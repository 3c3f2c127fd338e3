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


@dataclass(frozen=True)
class Response:
    """What a model answers under one hypothesis.

    Attributes:
        information: mutual information in nats of the labels given to images and to changed copies of them.
        certainty: mean probability of the label given, in [0, 1].
        accuracy: share of images whose known label the model gives; None where none is known.
    """

    information: float
    certainty: float
    accuracy: float | None = None


def changed(images: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The images (N, C, H, W), in [0, 1], mirrored, shifted, and slightly brighter and of other contrast."""
    shift = max(1, round(SHIFT * images.shape[-1]))
    moved = np.roll(images[..., ::-1], (shift, -shift), (2, 3))
    contrast = rng.uniform(1 - CONTRAST, 1 + CONTRAST, (len(images), 1, 1, 1))
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS, (len(images), 1, 1, 1))
    return np.asarray((moved * contrast + brightness).clip(0, 1), np.float32)


def respond(scores: FloatArray, scores_changed: FloatArray, labels: NDArray[np.int64] | None = None) -> Response:
    """Judges the scores (logits or log-probabilities) (N, labels) of images and of changed copies of them."""
    first, second = scores.argmax(1), scores_changed.argmax(1)
    accuracy = None if labels is None else float((first == labels).mean())
    return Response(mutual_information(first, second), certainty(scores), accuracy)


def certainty(scores: FloatArray) -> float:
    """Mean of the largest probability."""
    shifted = scores.astype(np.float64) - scores.max(1, keepdims=True)
    return float((1 / np.exp(shifted).sum(1)).mean())


def mutual_information(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """In nats, of paired labels (N,) >= 0, with the Miller-Madow correction for small samples.

    G. Miller, "Note on the bias of information estimates", 1955: each entropy is too small by (cells - 1) / 2N.
    """
    return _entropy(first) + _entropy(second) - _entropy(first * (1 + int(second.max(initial=0))) + second)


def _entropy(labels: NDArray[np.int64]) -> float:
    _, counts = np.unique(labels, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum() + (len(counts) - 1) / (2 * len(labels)))
