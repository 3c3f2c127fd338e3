"""Known answers and properties of rates and scores."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from nc_scan.evaluation.rates import Rate, auc, detection_at, roc

SCORES = st.lists(st.floats(-10, 10).map(lambda value: round(value, 1)), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # from the table of Brown, Cai and DasGupta's R package `binom`, method "wilson"
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (1, 100, 0.0018, 0.0545),
    ],
)
def test_interval_of_wilson(hits: int, total: int, low: float, high: float) -> None:
    assert Rate(hits, total).interval == pytest.approx((low, high), abs=1e-4)


def test_nothing_has_no_rate() -> None:
    nothing = Rate(0, 0)
    assert math.isnan(nothing.value)
    assert nothing.interval == (0, 1)
    assert str(nothing) == "-"


@given(SCORES, SCORES)
def test_auc_is_the_statistic_of_mann_and_whitney(clean: list[float], backdoored: list[float]) -> None:
    expected = mannwhitneyu(backdoored, clean).statistic / (len(clean) * len(backdoored))
    assert auc(clean, backdoored) == pytest.approx(expected)


@given(SCORES, SCORES)
def test_auc_is_the_area_under_the_roc(clean: list[float], backdoored: list[float]) -> None:
    alarms, found = roc(clean, backdoored)
    assert np.trapezoid(found, alarms) == pytest.approx(auc(clean, backdoored))


@pytest.mark.parametrize(
    ("alarms", "hits"),
    [(0.0, 1), (0.24, 1), (0.25, 3), (0.5, 3), (1.0, 4)],
)
def test_detection_at_false_alarms(alarms: float, hits: int) -> None:
    clean, backdoored = [1.0, 2.0, 3.0, 8.0], [0.5, 7.0, 8.0, 9.0]
    assert detection_at(clean, backdoored, alarms) == Rate(hits, 4)
