"""What stands out, over known answers and properties."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc_scan.standouts import MOST, drop, spacing, standouts

NORMS = st.lists(st.floats(0.01, 900), min_size=2, max_size=40)


def test_one_small_label() -> None:
    one, *_ = standouts([8.0, 40.0, 80.0, 20.0, 40.0, 90.0, 30.0, 60.0, 30.0, 40.0], 1024)
    assert one.labels == (0,)
    assert one.gap == pytest.approx(math.log(20 / 8))
    assert one.depth == pytest.approx(math.log(40 / 8))
    assert one.among == 10
    assert one.size == pytest.approx(math.log(1024 / 8))


def test_three_small_labels() -> None:
    group = standouts([30.0, 7.0, 9.0, 10.0, 32.0, 35.0, 40.0, 50.0, 60.0, 70.0], 1024)[2]
    assert group.labels == (1, 2, 3)
    assert group.gap == pytest.approx(math.log(3.0))
    assert group.depth == pytest.approx(math.log(40.0 / 10))


@pytest.mark.parametrize("labels", [2, 3, 5, 43, 1000])
def test_gap_and_depth_are_told_in_units_of_what_is_usual(labels: int) -> None:
    """Of normal values: a gap among few labels counts for less, a depth for more; among many it is the other way."""
    ten, other = (standouts([8.0, *[24.0] * (count - 1)], 1024)[0] for count in (10, labels))
    assert other.gap * spacing(labels) == pytest.approx(ten.gap * spacing(10), rel=1e-6)
    assert other.depth * drop(labels) == pytest.approx(ten.depth * drop(10), rel=1e-6)
    assert (other.gap < ten.gap) == (other.depth > ten.depth) == (labels < 10)


def test_of_labels_singled_out_the_number_of_all_counts() -> None:
    few = standouts([8.0, *[24.0] * 19], 1024, among=1000)[0]
    assert few == dataclasses.replace(standouts([8.0, *[24.0] * 999], 1024)[0], labels=few.labels)


@pytest.mark.parametrize(("labels", "expected"), [(2, 1.128), (3, 0.846), (10, 0.537), (100, 0.359)])
def test_spacing_of_normal_values(labels: int, expected: float) -> None:
    """Expected order statistics as tabulated by Harter (1961), which the approximation meets within five per cent."""
    assert spacing(labels) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("labels", "expected"), [(2, 1.128), (3, 1.27), (11, 1.586 + 0.112)])
def test_drop_of_normal_values(labels: int, expected: float) -> None:
    """By the same table; among eleven the median of the other ten lies between the sixth, 0, and the seventh."""
    assert drop(labels) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("labels", "groups"), [(2, 1), (3, 1), (4, 1), (5, 2), (7, 3), (10, 3), (1000, 3)])
def test_most_labels_stay_outside(labels: int, groups: int) -> None:
    assert len(standouts(np.linspace(10, 20, labels).tolist(), 1024)) == groups


def test_labels_that_were_searched_for_keep_their_numbers() -> None:
    assert standouts([50.0, 5.0], 1024, labels=[17, 903])[0].labels == (903,)


def test_an_empty_mask_stays_finite() -> None:
    assert all(map(math.isfinite, standouts([0.0, 10.0, 20.0], 1024)[0].features))


def test_one_label_has_no_others() -> None:
    with pytest.raises(ValueError, match="two at least"):
        standouts([1.0], 1024)


@given(NORMS, st.floats(0.1, 100))
def test_gap_and_depth_do_not_depend_on_the_size_of_the_images(norms: list[float], factor: float) -> None:
    small = standouts(norms, 1000)
    large = standouts([norm * factor for norm in norms], 1000)
    assert [group.labels for group in small][: len(large)] == [group.labels for group in large]
    for one, other in zip(small, large, strict=True):
        assert (one.gap, one.depth) == pytest.approx((other.gap, other.depth), abs=1e-6)


@given(NORMS)
def test_groups_grow_by_one_label(norms: list[float]) -> None:
    groups = standouts(norms, 1024)
    assert [len(group.labels) for group in groups] == list(range(1, len(groups) + 1))
    assert len(groups) <= MOST
    assert all(group.gap >= 0 for group in groups)
    assert all(
        group.depth * drop(len(norms)) / drop(10) >= group.gap * spacing(len(norms)) / spacing(10) - 1e-9
        for group in groups
    )
