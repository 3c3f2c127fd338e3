"""Rules that turn the evidence of a scan into a verdict: this version's, the former one's, the paper's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nc_kernels import anomaly_index
from nc_scan.calibration import Calibration
from nc_scan.detectors.patch.statistics import below_median
from nc_scan.evaluation.table import Row

PAPER_THRESHOLD = 2.0
FORMER = (-69.0607, -15.3112, 0.9402)  # intercept, log share of the pixels, depth: fitted on 21 CIFAR-10 networks
FORMER_CERTAIN = 0.8


@dataclass(frozen=True)
class Opinion:
    """What a rule says of a scan: a score, higher for a backdoor, whether that is one, and the labels it leads to."""

    score: float
    backdoored: bool
    labels: tuple[int, ...]


Rule = Callable[[Row], Opinion | None]
"""None of a scan that has nothing to say by this rule."""


def calibrated(calibration: Calibration, false_alarms: float) -> Rule:
    """The group of labels that stands out most, called a backdoor where clean models' do so no more often than that."""

    def rule(row: Row) -> Opinion | None:
        if not _has_patches(row):
            return None
        best = min(row.standouts, key=calibration.p_value)
        p = calibration.p_value(best)
        return Opinion(-math.log(p), p <= false_alarms and not row.warned, tuple(sorted(best.labels)))

    return rule


def by_score(detector: str, calibration: Calibration, false_alarms: float) -> Rule:
    """A detector's score, called a backdoor where clean models' are as high no more often than that.

    A table does not keep which labels a detector names.
    """
    tail = calibration.others.get(detector)

    def rule(row: Row) -> Opinion | None:
        score = row.scores.get(detector)
        if score is None:
            return None
        backdoored = tail is not None and tail.survival(score) <= false_alarms and not row.warned
        return Opinion(score, backdoored, ())

    return rule


def as_scanned(row: Row) -> Opinion:
    """The verdict of the scan itself, all detectors and the second look with other images included."""
    p = 1.0 if row.p_value is None else row.p_value
    return Opinion(-math.log(p), row.verdict == "backdoored", row.found)


def former(row: Row) -> Opinion | None:
    """The logistic regression of version 0.1.0 on size and depth of each label."""
    if not _has_patches(row):
        return None
    intercept, size, depth = FORMER
    norms = np.maximum(np.array(row.norms), 1e-3)
    odds = intercept + size * np.log(norms / row.pixels) + depth * below_median(norms)
    likely = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
    named = tuple(row.names[place] for place in np.flatnonzero(likely >= FORMER_CERTAIN))
    return Opinion(float(odds.max()), bool(named), named)


def paper(row: Row) -> Opinion | None:
    """The largest anomaly index on the low side is at least 2 (Wang et al. 2019; paper, section 3.2)."""
    if not _has_patches(row):
        return None
    indices = anomaly_index(np.array(row.norms), side="low")
    top = int(np.argmax(indices))
    return Opinion(float(indices[top]), bool(indices[top] >= PAPER_THRESHOLD), (row.names[top],))


def _has_patches(row: Row) -> bool:
    return len(row.norms) >= 2
