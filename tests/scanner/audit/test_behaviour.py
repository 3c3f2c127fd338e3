"""A model that looks at how it is asked is told from one that does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nc_scan.audit.behaviour import behaviour
from nc_scan.results import FloatArray

WEIGHTS = np.random.default_rng(0).normal(size=(48, 5)).astype(np.float32)


def downwards(images: FloatArray) -> FloatArray:
    return plain((np.floor(images * 255 + 1e-3) / 255).astype(np.float32))


def plain(images: FloatArray) -> FloatArray:
    return images.reshape(len(images), -1) @ WEIGHTS


def by_batch(images: FloatArray) -> FloatArray:
    return plain(images) * (1.0 if len(images) == 1 else 0.9)


def by_large_batches(images: FloatArray) -> FloatArray:
    return plain(images) * (1.0 if len(images) < 100 else 0.9)


def by_order(images: FloatArray) -> FloatArray:
    return plain(images) + np.where(np.arange(len(images)) == 0, 0.0, plain(images).max(1))[:, None] * 0.1


def by_last_bits(images: FloatArray) -> FloatArray:
    off = np.abs(images * 255 - np.round(images * 255)).mean((1, 2, 3)) > 1e-3
    return plain(np.where(off[:, None, None, None] & (np.arange(4) > 1), 0.5, images).astype(np.float32))


def by_last_bits_a_little(images: FloatArray) -> FloatArray:
    """Other scores for one of five labels, by little more than what a level of a pixel changes."""
    off = np.abs(images * 255 - np.round(images * 255)).mean((1, 2, 3)) > 1e-3
    return plain(images) + off[:, None] * np.float32([0, 0, 0.2, 0, 0])


def rounding_itself(images: FloatArray) -> FloatArray:
    return plain((np.round(images * 255) / 255).astype(np.float32))


@pytest.mark.parametrize(
    ("scores", "rules"),
    [
        (plain, set()),
        (rounding_itself, set()),
        (by_batch, {"batch-dependent"}),
        (by_large_batches, {"batch-dependent"}),
        (by_order, {"batch-dependent"}),
        (by_last_bits, {"depth-dependent"}),
        (by_last_bits_a_little, {"depth-dependent"}),
        (downwards, set()),
    ],
)
def test_what_a_model_looks_at_is_told(scores: Callable[[FloatArray], FloatArray], rules: set[str]) -> None:
    images = np.random.default_rng(1).random((12, 3, 4, 4)).astype(np.float32)
    assert {finding.rule for finding in behaviour(scores, images, 1e-3, (2, 128))} == rules
