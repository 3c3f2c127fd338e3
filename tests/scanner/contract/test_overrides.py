"""What users may say of the contract, and what they may not."""

import math

import pytest

from nc_scan.contract import Overrides
from nc_scan.contract.overrides import parse_numbers, parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("48x192", (48, 192)), ("224", (224, 224)), ("8X16", (8, 16)), (" 32 ", (32, 32))]
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "48x", "0x12", "48x192x3", "-3", "4.5", "9999999"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HEIGHTxWIDTH in pixels"):
        parse_size(text)


def test_numbers() -> None:
    assert parse_numbers("0.5") == (0.5,)
    assert parse_numbers("0.485, 0.456,0.406") == (0.485, 0.456, 0.406)
    with pytest.raises(ValueError, match="no number"):
        parse_numbers("0.5,a")


def test_mean_and_deviation_are_a_range() -> None:
    given = Overrides(mean=(0.5,), std=(0.25,)).given_range()
    assert given is not None
    assert (given.scale, given.offset) == ((4.0,), (-2.0,))
    assert Overrides().given_range() is None


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (Overrides(mean=(0.5,)), "belong together"),
        (Overrides(std=(0.5,)), "belong together"),
        (Overrides(mean=(0.5,), std=(0.5,), value_range="0..1"), "either --range or"),
        (Overrides(mean=(math.nan,), std=(0.5,)), "finite"),
        (Overrides(value_range="0..7"), "unknown value range"),
    ],
)
def test_what_is_no_range_is_refused(overrides: Overrides, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        overrides.given_range()
