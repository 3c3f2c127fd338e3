"""The value ranges, by name and by their numbers."""

import math

import pytest

from nc_scan.contract.value_range import RANGES, ValueRange, hypotheses, named, standardized


@pytest.mark.parametrize(
    ("chosen", "pixel", "value"),
    [
        (named("0..1"), 0.5, 0.5),
        (named("0..255"), 1.0, 255.0),
        (named("-1..1"), 0.0, -1.0),
        (named("imagenet"), 0.485, 0.0),
        (named("cifar10"), 0.4914, 0.0),
        (named("gtsrb"), 0.3403 + 0.2724, 1.0),
        (named("mnist"), 0.1307 + 0.3081, 1.0),
        (named("caffe"), 123.68 / 255, 0.0),
        (standardized((0.5,), (0.25,)), 0.75, 1.0),
        (standardized((0.5, 0.1, 0.1), (0.25, 1, 1)), 0.75, 1.0),
    ],
)
def test_ranges(chosen: ValueRange, pixel: float, value: float) -> None:
    chosen = chosen.for_channels(3)
    assert pixel * chosen.scale[0] + chosen.offset[0] == pytest.approx(value, abs=1e-6)


def test_a_range_without_a_name_is_called_by_its_numbers() -> None:
    assert standardized((0.5,), (0.25,)).name == "mean=0.5;std=0.25"


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown value range '0\.\.7': one of 0\.\.1, .* others by --mean and --std"):
        named("0..7")


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        ((1.0,), (0.0,), "above 0"),
        ((1.0, 2.0), (1.0,), "as many"),
        ((math.nan,), (1.0,), "finite"),
        ((0.0,), (math.inf,), "finite"),
    ],
)
def test_what_is_no_mean_and_deviation_is_refused(mean: tuple, std: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        standardized(mean, std)


def test_constants_of_three_channels_fit_other_numbers() -> None:
    assert RANGES["imagenet"].for_channels(1).scale == pytest.approx((4.425,), abs=1e-3)
    assert RANGES["imagenet"].for_channels(4).scale[:3] == RANGES["imagenet"].scale
    assert RANGES["0..255"].for_channels(4).scale == (255.0,) * 4
    assert RANGES["imagenet"].for_channels(13).scale == pytest.approx((4.425,) * 13, abs=1e-3)
    with pytest.raises(ValueError, match="2 channels, the model 3"):
        standardized((0.5, 0.5), (1.0, 1.0)).for_channels(3)


@pytest.mark.parametrize(
    ("channels", "side", "names"),
    [
        (3, 32, ["0..1", "cifar10", "-1..1", "0..255"]),
        (3, 224, ["0..1", "imagenet", "-1..1", "0..255", "caffe"]),
        (1, 28, ["0..1", "mnist", "-1..1", "0..255"]),
        (1, 224, ["0..1", "imagenet", "-1..1", "0..255"]),
        (13, 64, ["0..1", "cifar10", "-1..1", "0..255"]),
    ],
)
def test_hypotheses_depend_on_the_size(channels: int, side: int, names: list[str]) -> None:
    found = hypotheses(channels, side)
    assert [value_range.name for value_range in found] == names
    assert {len(value_range.scale) for value_range in found} == {channels}
