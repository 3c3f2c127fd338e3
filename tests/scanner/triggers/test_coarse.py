"""A coarse patch is a patch whose pixels come in cells."""

import pytest
import torch

from nc_scan.triggers import Affine, CoarsePatch, Patch

AFFINE = Affine((2.0,), (-1.0,))


@pytest.mark.parametrize(("size", "cell"), [((8, 8), 1), ((8, 8), 4), ((7, 10), 4)])
def test_it_stamps_and_measures_what_the_enlarged_patch_does(size: tuple[int, int], cell: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, *size, generator=generator)
    coarse = CoarsePatch(size, cell)
    params = coarse.start(images, 2, 2, generator)
    assert params["mask"].shape == (4, 1, *(-(-side // cell) for side in size))
    enlarged = coarse.enlarge(params)
    assert enlarged["mask"].shape == (4, 1, *size)
    torch.testing.assert_close(coarse.size(params), Patch().size(enlarged))
    torch.testing.assert_close(coarse.stamp(images, params, AFFINE), Patch().stamp(images, enlarged, AFFINE))
    torch.testing.assert_close(coarse.shrink(enlarged), params)


def test_a_gradient_reaches_the_cells() -> None:
    coarse = CoarsePatch((8, 8), 4)
    params = {"mask": torch.full((1, 1, 2, 2), 0.5, requires_grad=True), "pattern": torch.ones(1, 3, 2, 2)}
    stamped = coarse.stamp(torch.zeros(2, 3, 8, 8), params, Affine((1.0,), (0.0,)))
    (gradient,) = torch.autograd.grad(stamped.sum(), params["mask"])
    torch.testing.assert_close(gradient, torch.full((1, 1, 2, 2), 2.0 * 3 * 16))
