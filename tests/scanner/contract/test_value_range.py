"""The value ranges, and what users may write for them."""

import pytest

from nc_scan.contract.value_range import RANGES, hypotheses, parse_range


@pytest.mark.parametrize(
    ("name", "pixel", "value"),
    [
        ("0..1", 0.5, 0.5),
        ("0..255", 1.0, 255.0),
        ("-1..1", 0.0, -1.0),
        ("imagenet", 0.485, 0.0),
        ("cifar10", 0.4914, 0.0),
        ("caffe", 123.68 / 255, 0.0),
        ("mean=0.5;std=0.25", 0.75, 1.0),
        ("mean=0.5,0.1,0.1; std=0.25,1,1", 0.75, 1.0),
    ],
)
def test_ranges(name: str, pixel: float, value: float) -> None:
    chosen = parse_range(name).for_channels(3)
    assert pixel * chosen.scale[0] + chosen.offset[0] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0..7", "unknown value range '0..7': one of 0..1, "),
        ("mean=0.5", "unknown value range"),
        ("mean=a;std=1", "no number"),
        ("mean=1;std=0", "above 0"),
        ("mean=1,2;std=1", "as many"),
        ("mean=nan;std=1", "finite"),
        ("mean=0;std=inf", "finite"),
    ],
)
def test_what_is_no_range_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_range(text)


def test_constants_of_three_channels_fit_one_and_four() -> None:
    assert RANGES["imagenet"].for_channels(1).scale == pytest.approx((4.425,), abs=1e-3)
    assert RANGES["imagenet"].for_channels(4).scale[:3] == RANGES["imagenet"].scale
    assert RANGES["0..255"].for_channels(4).scale == (255.0,) * 4
    with pytest.raises(ValueError, match="3 channels, the model 2"):
        RANGES["imagenet"].for_channels(2)


@pytest.mark.parametrize(
    ("channels", "side", "names"),
    [
        (3, 32, ["0..1", "cifar10", "-1..1", "0..255"]),
        (3, 224, ["0..1", "imagenet", "-1..1", "0..255", "caffe"]),
        (1, 28, ["0..1", "cifar10", "-1..1", "0..255"]),
    ],
)
def test_hypotheses_depend_on_the_size(channels: int, side: int, names: list[str]) -> None:
    found = hypotheses(channels, side)
    assert [value_range.name for value_range in found] == names
    assert {len(value_range.scale) for value_range in found} == {channels}
