"""The families that change the whole image: what their parameters do, how large that is, and what stands still."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nc_scan.triggers import UNCHANGED, Additive, Affine, Params, TriggerFamily, Warp

SIDE, CHANNELS = 8, 3
FAMILIES: list[TriggerFamily] = [Additive(), Warp()]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda one: type(one).__name__)


def images(count: int = 4, channels: int = CHANNELS) -> Tensor:
    return torch.rand(count, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def started(family: TriggerFamily, goals: int = 2, starts: int = 2, channels: int = CHANNELS) -> Params:
    return family.start(images(channels=channels), goals, starts, torch.Generator().manual_seed(1))


@each_family
def test_no_change_leaves_the_images_as_they_are_and_has_no_size(family: TriggerFamily) -> None:
    nothing = {name: torch.zeros_like(values) for name, values in started(family).items()}
    stamped = family.stamp(images(), nothing, UNCHANGED)
    torch.testing.assert_close(stamped, images().expand(4, -1, -1, -1, -1))
    assert family.size(nothing).tolist() == pytest.approx([0.0] * 4, abs=1e-5)


@each_family
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_row_changes_every_image_within_its_range(family: TriggerFamily, channels: int) -> None:
    params = started(family, channels=channels)
    here = images(channels=channels)
    stamped = family.stamp(here, params, UNCHANGED)
    assert stamped.shape == (4, 4, channels, SIDE, SIDE)
    assert 0 <= float(stamped.min()) <= float(stamped.max()) <= 1
    assert (stamped - here).abs().flatten(1).amax(1).min() > 0
    torch.testing.assert_close(family.stamp(here, params, Affine((2.0,), (-1.0,))), 2 * stamped - 1)


@each_family
def test_gradients_reach_all_parameters_and_are_finite_without_a_change(family: TriggerFamily) -> None:
    params = {name: torch.zeros_like(values).requires_grad_() for name, values in started(family).items()}
    (family.stamp(images(), params, UNCHANGED).sum() + family.size(params).sum()).backward()
    for values in params.values():
        assert values.grad is not None
        assert values.grad.isfinite().all()


@each_family
def test_a_start_is_smaller_than_the_largest_change(family: TriggerFamily) -> None:
    params = started(family)
    assert (family.size(params) < family.size(family.largest(params))).all()


def test_the_size_of_what_is_added_is_its_norm() -> None:
    params = started(Additive())
    expected = [float(np.linalg.norm(change)) for change in params["change"].numpy()]
    assert Additive().size(params).tolist() == pytest.approx(expected, rel=1e-5)


def test_a_shift_of_a_pixel_takes_each_pixel_from_its_neighbour() -> None:
    displacement = torch.zeros(1, 2, 4, 4)
    displacement[:, 0] = 1  # along the row
    shifted = Warp().stamp(images(), {"displacement": displacement}, UNCHANGED)[0]
    torch.testing.assert_close(shifted[..., :-1], images()[..., 1:], atol=1e-5, rtol=0)
    torch.testing.assert_close(shifted[..., -1], images()[..., -1], atol=1e-5, rtol=0)
    assert Warp().size({"displacement": displacement}).tolist() == pytest.approx([1.0])
