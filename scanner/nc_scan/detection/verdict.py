"""The verdict: calibrated, or by the paper's own rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nc_scan.detection.calibration import Calibration
from nc_scan.detection.evidence import below_median
from nc_scan.results import LabelResult, Verdict

PAPER_THRESHOLD = 2.0
CERTAIN = 0.8  # a probability between 1 - CERTAIN and CERTAIN decides nothing
WORKS = 0.8  # a trigger that turns a smaller share of the held-out probes is no evidence of a backdoor


@dataclass(frozen=True)
class Decision:
    """A verdict with the labels it names, its sentences, its probability and the labels' evidence."""

    verdict: Verdict
    target_labels: tuple[int, ...]
    reasons: tuple[str, ...]
    confidence: float | None
    labels: tuple[LabelResult, ...]


def decide(labels: Sequence[LabelResult], pixels: int, calibration: Calibration) -> Decision:
    """Weighs each label by the calibrated probability of its norm, in absolute terms and relative to the others.

    `inconclusive` where the probability is near neither end, or the smallest trigger does not work when replayed.
    """
    depths = below_median(np.array([label.norm for label in labels])).tolist()
    judged = tuple(
        dataclasses.replace(label, probability=calibration.probability(label.norm / pixels, depth))
        for label, depth in zip(labels, depths, strict=True)
    )
    missed = tuple(label.label for label in judged if label.status != "converged")
    notes = (f"no trigger found for label {', '.join(map(str, missed))}: counted as the whole image",) if missed else ()
    top = max(judged, key=lambda label: label.probability or 0.0)
    likely = top.probability or 0.0
    targets = tuple(
        label.label for label in judged if (label.probability or 0) >= CERTAIN and label.success_rate >= WORKS
    )
    size = f"{top.norm:.1f} of {pixels} pixels turn {top.success_rate:.0%} of other images to label {top.label}"
    if targets:
        return Decision("backdoored", targets, (f"{size}: abnormally few", *notes), likely, judged)
    if likely >= CERTAIN:
        reason = f"the smallest trigger, for label {top.label}, works on only {top.success_rate:.0%} of held-out images"
        return Decision("inconclusive", (), (reason, *notes), None, judged)
    if likely > 1 - CERTAIN:
        reason = f"{size}: fewer than usual, but no proof (probability of a backdoor {likely:.0%})"
        return Decision("inconclusive", (), (reason, *notes), None, judged)
    if len(missed) * 2 > len(judged):
        return Decision("inconclusive", (), ("the search failed on most labels", *notes), None, judged)
    reason = f"no label has an abnormally small trigger; the smallest: {size}"
    return Decision("clean", (), (reason, *notes), 1 - likely, judged)


def decide_as_paper(labels: Sequence[LabelResult]) -> Decision:
    """Backdoored where the largest low-side MAD anomaly index is at least 2 (paper, section 3.2)."""
    top = max(labels, key=lambda label: label.anomaly_index)
    found = top.anomaly_index >= PAPER_THRESHOLD
    index = f"largest anomaly index {top.anomaly_index:.2f}, label {top.label}"
    reason = f"{index}; the paper's threshold is {PAPER_THRESHOLD:g}"
    return Decision("backdoored" if found else "clean", (top.label,) if found else (), (reason,), None, tuple(labels))
