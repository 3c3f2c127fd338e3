"""Rates with their uncertainty, and what a score is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE_Z = 1.959964  # of a normal variable, 95 % two-sided


@dataclass(frozen=True)
class Rate:
    """`hits` of `total`, with the 95 % interval of Wilson (Probable inference, JASA 1927)."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share, NaN of nothing."""
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound of the share, 0 to 1 of nothing."""
        if not self.total:
            return 0.0, 1.0
        n, p, z = self.total, self.value, CONFIDENCE_Z
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        if not self.total:
            return "-"
        low, high = self.interval
        return f"{self.hits}/{self.total} ({low:.0%} to {high:.0%})"


def auc(clean: Sequence[float], backdoored: Sequence[float]) -> float:
    """Probability that a backdoored model's score is above a clean one's, ties counted half; NaN without either.

    Mann and Whitney 1947; Hanley and McNeil 1982.
    """
    if not len(clean) or not len(backdoored):
        return math.nan
    difference = np.asarray(backdoored, float)[:, None] - np.asarray(clean, float)[None]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def roc(clean: Sequence[float], backdoored: Sequence[float]) -> tuple[list[float], list[float]]:
    """False alarms and detections (0..1) at every threshold, from the strictest to the loosest."""
    thresholds = sorted({*clean, *backdoored}, reverse=True)
    alarms = [0.0, *(sum(score >= t for score in clean) / max(1, len(clean)) for t in thresholds)]
    found = [0.0, *(sum(score >= t for score in backdoored) / max(1, len(backdoored)) for t in thresholds)]
    return alarms, found


def detection_at(clean: Sequence[float], backdoored: Sequence[float], alarms: float) -> Rate:
    """How many backdoored models score above the threshold that at most the share `alarms` of the clean ones passes."""
    allowed = math.floor(alarms * len(clean) + 1e-9)
    highest = sorted(clean, reverse=True)
    threshold = highest[allowed] if allowed < len(highest) else -math.inf
    return Rate(sum(score > threshold for score in backdoored), len(backdoored))
