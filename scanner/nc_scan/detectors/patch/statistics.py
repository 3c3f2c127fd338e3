"""What the triggers of all labels say about each of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nc_kernels import anomaly_index, mad
from nc_kernels.statistics import NORMAL_CONSISTENCY
from nc_scan.detectors.replay import Replayed
from nc_scan.results import LabelResult
from nc_scan.standouts import SMALLEST_NORM

SCALE_FLOOR = 0.2  # of the log norms: labels whose norms lie closer together than 20 % do not make an outlier by that


def weigh(found: Mapping[int, Replayed], drawn: frozenset[int]) -> tuple[LabelResult, ...]:
    """One LabelResult a label, with the paper's anomaly index (section 3.2) and the robust z-score on a log scale.

    Both are held against the norms of the labels that were `drawn` for that, all of them or a random sample; the others
    were singled out for their small triggers.
    """
    norms = np.array([one.pixels for one in found.values()])
    usual = norms[[label in drawn for label in found]]
    columns = zip(
        found.items(), norms, anomaly_index(norms, side="low", among=usual), robust_z(norms, usual), strict=True
    )
    return tuple(
        LabelResult(
            label,
            float(norm),
            float(index),
            float(score),
            one.rate,
            one.status,
            trigger=one.trigger,
            drawn=label in drawn,
        )
        for (label, one), norm, index, score in columns
    )


def robust_z(norms: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """(median - log norm) / max(1.4826 MAD, floor) of the log norms; high for a norm far below the others.

    Median and MAD are those of `among`, by default of the norms themselves.
    """
    _, deviation = mad(_logs(norms if among is None else among))
    return np.asarray(below_median(norms, among) / np.maximum(NORMAL_CONSISTENCY * deviation, SCALE_FLOOR))


def below_median(norms: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """log (median / norm), in nats; high for a norm far below the others. The median is that of `among`, as above."""
    median, _ = mad(_logs(norms if among is None else among))
    return np.asarray(median - _logs(norms))


def _logs(norms: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(norms, SMALLEST_NORM)))
