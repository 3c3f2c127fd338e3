"""Under which norm a label is suspected, for the charts of the reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nc_kernels import mad
from nc_kernels.statistics import NORMAL_CONSISTENCY
from nc_scan.detection.calibration import Calibration
from nc_scan.detection.evidence import SMALLEST_NORM, below_median
from nc_scan.detection.verdict import CERTAIN, PAPER_THRESHOLD

GRID = 4096


def calibrated_threshold(norms: Sequence[float], pixels: int, calibration: Calibration) -> float | None:
    """The largest norm at which a label, held against these norms, is probably a target; None where there is none."""
    candidates = np.geomspace(SMALLEST_NORM, pixels, GRID)
    depths = below_median(candidates, np.array(norms))
    suspected = [
        norm
        for norm, depth in zip(candidates.tolist(), depths.tolist(), strict=True)
        if calibration.probability(norm / pixels, depth) >= CERTAIN
    ]
    return max(suspected, default=None)


def paper_threshold(norms: Sequence[float]) -> float | None:
    """The norm whose anomaly index is 2; None where not even an empty mask reaches it."""
    median, deviation = mad(np.array(norms))
    norm = float(median - PAPER_THRESHOLD * NORMAL_CONSISTENCY * deviation)
    return norm if norm > 0 else None
