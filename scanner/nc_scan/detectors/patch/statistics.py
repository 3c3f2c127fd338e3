"""What the triggers of all labels say about each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nc_kernels import anomaly_index, mad
from nc_kernels.statistics import NORMAL_CONSISTENCY
from nc_scan.results import LabelResult, Status, Trigger
from nc_scan.standouts import SMALLEST_NORM

SCALE_FLOOR = 0.2  # of the log norms: labels whose norms lie closer together than 20 % do not make an outlier by that


def weigh(
    triggers: Mapping[int, Trigger], statuses: Sequence[Status], success_rates: Sequence[float], drawn: frozenset[int]
) -> tuple[LabelResult, ...]:
    """One LabelResult a label, with the paper's anomaly index (section 3.2) and the robust z-score on a log scale.

    Both are held against the norms of the labels that were `drawn` for that, all of them or a random sample; the others
    were singled out for their small triggers.
    """
    norms = np.array([float(trigger.mask.sum()) for trigger in triggers.values()])
    usual = norms[[label in drawn for label in triggers]]
    indices = anomaly_index(norms, side="low", among=usual)
    columns = zip(triggers.items(), statuses, success_rates, norms, indices, robust_z(norms, usual), strict=True)
    return tuple(
        LabelResult(
            label,
            float(norm),
            float(index),
            float(score),
            rate,
            status,
            trigger=trigger,
            drawn=label in drawn,
        )
        for (label, trigger), status, rate, norm, index, score in columns
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
