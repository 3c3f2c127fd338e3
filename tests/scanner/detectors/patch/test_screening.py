"""Which blocks move which label, on models whose answer is known."""

import pytest
import torch
from torch import Tensor

from nc_scan.detectors.patch import screening
from nc_scan.detectors.patch.screening import (
    PROBES,
    block_count,
    block_effects,
    block_numbers,
    cube_corners,
    screened_images,
)
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.detectors.patch.start import first_starts, guided_triggers
from nc_scan.search.passes import passes_on
from nc_scan.triggers import UNCHANGED, Affine

LABELS, SIDE = 3, 16
PLACE = (slice(4, 6), slice(10, 12))  # row 2, column 5 of the blocks of 2x2 pixels
BLOCK, YELLOW = 2 * 8 + 5, 0b011


def sees_yellow(images: Tensor) -> Tensor:
    """Label 1 follows a yellow spot at PLACE; the others never change."""
    spot = images[:, :, *PLACE].mean((2, 3))
    return torch.stack(
        [torch.zeros(len(images)), 9 * spot[:, 0] * spot[:, 1] * (1 - spot[:, 2]), torch.ones(len(images))], 1
    )


def effects_of(scores, images: Tensor, affine: Affine = UNCHANGED) -> Tensor:
    with passes_on(torch.device("cpu")) as run_all:
        return block_effects(scores, images, affine, run_all).change


def grey(count: int = PROBES, side: int = SIDE) -> Tensor:
    return torch.full((count, 3, side, side), 0.5)


def test_the_effect_is_the_change_of_the_log_probability() -> None:
    effects = effects_of(sees_yellow, grey())
    assert effects.shape == (64, 8, LABELS)
    yellow = grey()
    yellow[:, :, *PLACE] = torch.tensor([1.0, 1.0, 0.0])[:, None, None]
    change = sees_yellow(yellow).log_softmax(1) - sees_yellow(grey()).log_softmax(1)
    torch.testing.assert_close(effects[BLOCK, YELLOW], change.mean(0))
    assert effects[:, :, 1].flatten().argmax() == BLOCK * 8 + YELLOW
    elsewhere = torch.arange(64) != BLOCK
    torch.testing.assert_close(effects[elsewhere], torch.zeros(63, 8, LABELS))


def test_the_input_contract_is_applied() -> None:
    shifted = effects_of(lambda x: sees_yellow((x + 1) / 2), grey(), Affine((2.0,), (-1.0,)))
    torch.testing.assert_close(shifted, effects_of(sees_yellow, grey()))


def test_a_guided_start_is_the_block_that_moves_the_label() -> None:
    guided = guided_triggers(effects_of(sees_yellow, grey())[:, :, [1]], grey())
    mask, pattern = guided["mask"][0], guided["pattern"][0]
    expected = torch.zeros(1, SIDE, SIDE)
    expected[:, *PLACE] = 1
    torch.testing.assert_close(mask, expected)
    assert (pattern[:, *PLACE] == torch.tensor([1.0, 1.0, 0.0])[:, None, None]).all()


def test_a_weaker_block_is_fainter_by_the_square_and_has_its_own_colour() -> None:
    effects = torch.full((64, 8, 1), -0.5)
    effects[BLOCK, YELLOW], effects[0, 7], effects[0, 3] = 2.0, 1.0, 0.9
    guided = guided_triggers(effects, grey())
    mask, pattern = guided["mask"][0], guided["pattern"][0]
    expected = torch.zeros(1, SIDE, SIDE)
    expected[:, *PLACE], expected[:, :2, :2] = 1, 0.25
    torch.testing.assert_close(mask, expected)
    assert (pattern[:, *PLACE] == torch.tensor([1.0, 1.0, 0.0])[:, None, None]).all()
    assert (pattern[:, :2, :2] == 1).all()


def test_the_effect_is_the_mean_over_all_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(PROBES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    whole = effects_of(sees_yellow, images)
    monkeypatch.setattr(screening, "PASS_VALUES", {"cpu": 3 * 8 * 3 * SIDE * SIDE})
    torch.testing.assert_close(effects_of(sees_yellow, images), whole)
    blue = images.clone()
    blue[:, :, *PLACE] = torch.tensor([0.0, 0.0, 1.0])[:, None, None]
    change = sees_yellow(blue).log_softmax(1) - sees_yellow(images).log_softmax(1)
    torch.testing.assert_close(whole[BLOCK, 0b100], change.mean(0))


def test_a_score_of_minus_infinity_keeps_the_effects_finite() -> None:
    effects = effects_of(lambda images: sees_yellow(images) + torch.tensor([-torch.inf, 0.0, 0.0]), grey())
    assert effects.isfinite().all()
    assert effects[:, :, 1].flatten().argmax() == BLOCK * 8 + YELLOW


def test_a_label_that_nothing_moves_starts_empty() -> None:
    effects = torch.full((64, 8, 1), -0.5)
    guided = guided_triggers(effects, grey())
    assert not guided["mask"].any()
    assert guided["pattern"].isfinite().all()


@pytest.mark.parametrize("guided", [True, False])
def test_each_label_has_all_its_starts(guided: bool) -> None:
    effects = effects_of(sees_yellow, grey()) if guided else None
    start = first_starts([2, 1], effects, grey(), ADAPTIVE, torch.Generator().manual_seed(0))
    count = ADAPTIVE.starts
    assert start.params["mask"].shape == (2 * count, 1, SIDE, SIDE)
    assert start.params["pattern"].shape == (2 * count, 3, SIDE, SIDE)
    assert start.cost.tolist() == pytest.approx([ADAPTIVE.cost] * 2 * count)
    assert (start.params["mask"][count].sum() == 4) == guided


@pytest.mark.parametrize(
    ("height", "width", "blocks"), [(32, 32, 64), (28, 28, 49), (16, 32, 32), (224, 224, 64), (3, 5, 15)]
)
def test_blocks_have_successive_numbers(height: int, width: int, blocks: int) -> None:
    numbers = block_numbers(height, width)
    assert numbers.shape == (height, width)
    assert numbers.unique().tolist() == list(range(blocks))
    assert block_count(height, width) == blocks


@pytest.mark.parametrize(("channels", "colours"), [(1, 2), (2, 4), (3, 8), (5, 8)])
def test_corners_of_the_colour_cube(channels: int, colours: int) -> None:
    corners = cube_corners(channels)
    assert corners.shape == (colours, channels)
    assert len(corners.unique(dim=0)) == colours


@pytest.mark.parametrize("count", [3, 40])
def test_the_screened_images_are_counted(count: int) -> None:
    computed: list[int] = []

    def counting(images: Tensor) -> Tensor:
        computed.append(len(images))
        return sees_yellow(images)

    effects_of(counting, grey(count))
    blocks = 64
    assert screened_images(3, SIDE, SIDE, count) == blocks * 8 * min(count, PROBES)
    assert sum(computed) == (blocks + 1) * 8 * min(count, PROBES)


def test_the_nearest_label_is_told_by_its_probability_not_by_its_change() -> None:
    def scores(images: Tensor) -> Tensor:
        """A spot brings label 1 from far away to not so far; label 2 is near, and nearly stays where it is."""
        spot = images[:, 0, *PLACE].mean((1, 2))
        return torch.stack([0 * spot, -50 + 9 * spot, spot], 1)

    with passes_on(torch.device("cpu")) as run_all:
        effects = block_effects(scores, grey(), UNCHANGED, run_all)
    assert effects.change.flatten(0, 1).amax(0).argmax() == 1
    assert effects.nearest.argmax() == 2
    torch.testing.assert_close(effects.plain, scores(grey()).log_softmax(1).mean(0))
