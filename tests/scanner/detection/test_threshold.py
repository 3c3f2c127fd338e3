"""The threshold in the charts agrees with the verdict."""

import dataclasses

import numpy as np
import pytest

from nc_kernels import anomaly_index
from nc_scan.detection import decide
from nc_scan.detection.calibration import Calibration
from nc_scan.detection.threshold import calibrated_threshold, paper_threshold
from nc_scan.results import LabelResult

CALIBRATION = Calibration(intercept=-20.0, size=-4.0, depth=2.0, models=(9, 9))
PIXELS = 1024
OTHERS = [40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0]
SURROUNDED = [45.0, 50.0, (55.0 * 60.0) ** 0.5, 65.0, 70.0, 75.0]  # with a small one their median is that of OTHERS


def suspected(norm: float) -> bool:
    """Whether a label of that norm is named beside others of the same median."""
    label = LabelResult(0, norm, 0.0, 0.0, 1.0, "converged")
    others = [dataclasses.replace(label, label=n, norm=other) for n, other in enumerate(SURROUNDED, 1)]
    return decide([label, *others], PIXELS, CALIBRATION).verdict == "backdoored"


def test_the_verdict_turns_at_the_calibrated_threshold() -> None:
    threshold = calibrated_threshold(OTHERS, PIXELS, CALIBRATION)
    assert threshold is not None
    assert suspected(threshold * 0.99)
    assert not suspected(threshold * 1.01)


def test_no_threshold_where_no_norm_is_small_enough() -> None:
    assert calibrated_threshold(OTHERS, PIXELS, dataclasses.replace(CALIBRATION, intercept=-500.0)) is None


def test_the_papers_threshold_has_index_2() -> None:
    norms = [*OTHERS, 28.0]
    threshold = paper_threshold(norms)
    assert threshold is not None
    moved = [*OTHERS, threshold]  # still the smallest, so that the median and the MAD stay
    assert anomaly_index(np.array(moved))[-1] == pytest.approx(2.0, rel=0.05)


def test_the_paper_has_no_threshold_where_the_norms_are_spread_widely() -> None:
    assert paper_threshold([1.0, 10.0, 50.0, 90.0, 200.0]) is None
