"""The patch family: what its parameters do to images, and where searches with it start."""

import torch

from nc_scan.triggers import UNCHANGED, Affine, Patch

ROWS, SIDE = 3, 8


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def params() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "mask": torch.rand(ROWS, 1, SIDE, SIDE, generator=generator),
        "pattern": torch.rand(ROWS, 3, SIDE, SIDE, generator=generator),
    }


def test_every_patch_is_blended_into_every_image_and_scaled() -> None:
    mask, pattern = params()["mask"][:, None], params()["pattern"][:, None]
    expected = (1 - mask) * images() + mask * pattern
    torch.testing.assert_close(Patch().stamp(images(), params(), UNCHANGED), expected)
    torch.testing.assert_close(Patch().stamp(images(), params(), Affine((2.0,), (-1.0,))), 2 * expected - 1)


def test_the_size_is_the_norm_of_the_mask_and_no_patch_is_larger_than_the_largest() -> None:
    assert Patch().size(params()).tolist() == [float(mask.sum()) for mask in params()["mask"]]
    assert Patch().size(Patch().largest(params())).tolist() == [SIDE * SIDE] * ROWS


def test_projection_leads_into_the_unit_interval_and_leaves_what_is_there() -> None:
    outside = {name: 4 * values - 2 for name, values in params().items()}
    projected = {name: values.clone() for name, values in outside.items()}
    Patch().project_(projected)
    for name, values in projected.items():
        assert torch.equal(values, outside[name].clamp(0, 1))


def test_the_starts_of_a_goal_come_in_pairs_of_a_pattern_and_its_negative() -> None:
    start = Patch().start(images(), 2, 4, torch.Generator().manual_seed(0))
    assert start["mask"].shape == (8, 1, SIDE, SIDE)
    pattern = start["pattern"].view(2, 2, 2, 3, SIDE, SIDE)
    assert torch.equal(pattern[:, :, 0], 1 - pattern[:, :, 1])
    assert set(pattern.unique().tolist()) == {0.0, 1.0}
    assert (start["mask"].amin((1, 2, 3)) > 0).all()
