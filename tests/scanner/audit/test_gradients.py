"""Slopes that add up to the deployed model's change are trusted, others are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from nc_scan.audit.gradients import POINTS, Way, gradient_findings, integrated_slopes

WEIGHTS = torch.randn(27, 4, generator=torch.Generator().manual_seed(0))


def logits(images: Tensor) -> Tensor:
    return torch.tanh(images.flatten(1) @ WEIGHTS) * 5


def without_gradient(images: Tensor) -> Tensor:
    return logits(images).detach() + 0 * images.flatten(1)[:, :4]


def reversed_for_one_label(images: Tensor) -> Tensor:
    right = logits(images)
    sign = torch.tensor([1.0, 1.0, -1.0, 1.0])
    return right.detach() + sign * (right - right.detach())


def ways() -> list[Way]:
    rng = np.random.default_rng(0)
    images, others = (rng.random((4, 3, 3, 3)).astype(np.float32) for _ in range(2))
    return [Way(label, images, others) for label in range(4)]


@pytest.mark.parametrize(
    ("copy", "wrong"),
    [(logits, None), (without_gradient, "label 0, 1, 2, 3"), (reversed_for_one_label, "2")],
    ids=["right", "none", "reversed"],
)
def test_a_gradient_of_something_else_is_a_warning(copy: Callable[[Tensor], Tensor], wrong: str | None) -> None:
    found = list(gradient_findings(copy, lambda images: logits(torch.from_numpy(images)).numpy(), ways()))
    assert [finding.rule for finding in found] == ([] if wrong is None else ["false-gradient"])
    if wrong is not None:
        assert wrong in found[0].message


def steep(images: Tensor) -> Tensor:
    """From one label to another within a twentieth of the way from dark to bright."""
    bright = 20 * torch.tanh(60 * (images.mean((1, 2, 3)) - 0.51))
    return torch.stack([-bright, bright], 1)


def test_a_steep_place_is_looked_at_closely_before_the_gradient_is_accused() -> None:
    dark, white = np.zeros((4, 3, 3, 3), np.float32), np.ones((4, 3, 3, 3), np.float32)
    way, few = Way(1, dark, white), POINTS[0]
    found = gradient_findings(steep, lambda images: steep(torch.from_numpy(images)).numpy(), [way])
    assert not list(found)
    assert np.abs(integrated_slopes(steep, way, few) - 80).min() > 40  # too few points for it
