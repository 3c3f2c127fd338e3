"""The only place where evidence becomes a verdict.

Every detector's evidence is judged by a rule of its own, or by its p-value; the worst of these opinions is the verdict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nc_kernels import mad
from nc_kernels.statistics import NORMAL_CONSISTENCY
from nc_scan.calibration import Calibration, shipped_calibration
from nc_scan.detectors.patch.statistics import SMALLEST_NORM, below_median
from nc_scan.results import Evidence, Finding, InputContract, LabelResult, Verdict

SEVERITY = ("clean", "inconclusive", "backdoored")
PAPER_THRESHOLD = 2.0
CERTAIN = 0.8  # a probability between 1 - CERTAIN and CERTAIN decides nothing
WORKS = 0.8  # a trigger that turns a smaller share of the held-out probes is no evidence of a backdoor
FALSE_ALARMS = 0.01  # share of clean models that may be called backdoored by p-values, all detectors together
GRID = 4096


@dataclass(frozen=True)
class Decision:
    """A verdict with the labels it names, its sentences, its probability and the labels' evidence.

    `threshold` is the norm, in pixels, under which a label among these would be suspected; None where there is none.
    """

    verdict: Verdict
    target_labels: tuple[int, ...]
    reasons: tuple[str, ...]
    confidence: float | None
    labels: tuple[LabelResult, ...] = ()
    threshold: float | None = None


def decide(evidence: Sequence[Evidence], contract: InputContract) -> Decision:
    """The worst opinion, with the reasons of all.

    Opinions are not multiplied as if they were independent: the false alarms that p-values may give are shared out
    among the detectors, so that more detectors do not give more of them.
    """
    share = FALSE_ALARMS / max(1, len(evidence))
    opinions = [_opinion(one, contract, share) for one in evidence]
    worst = max(opinions, key=lambda opinion: SEVERITY.index(opinion.verdict)).verdict
    decisive = [opinion for opinion in opinions if opinion.verdict == worst]
    others = [opinion for opinion in opinions if opinion.verdict != worst]
    confident = [opinion.confidence for opinion in decisive if opinion.confidence is not None]
    labelled = next((opinion for opinion in opinions if opinion.labels), None)
    return Decision(
        verdict=worst,
        target_labels=tuple(sorted({label for opinion in decisive for label in opinion.target_labels})),
        reasons=tuple(dict.fromkeys(reason for opinion in decisive + others for reason in opinion.reasons)),
        confidence=(min if worst == "clean" else max)(confident, default=None),
        labels=labelled.labels if labelled else (),
        threshold=labelled.threshold if labelled else None,
    )


def _opinion(evidence: Evidence, contract: InputContract, share: float) -> Decision:
    if evidence.detector == "graph":
        return judge_findings(evidence.findings)
    if evidence.not_run is not None:
        return Decision("inconclusive", (), (evidence.not_run,), None)
    if evidence.detector in JUDGES:
        return JUDGES[evidence.detector](evidence.labels, contract.pixels)
    return judge_p_value(evidence, share)


def judge_p_value(evidence: Evidence, share: float) -> Decision:
    """Backdoored where a clean model gives evidence as strong no more often than `share`, and what was found works."""
    reasons = (evidence.reason,) if evidence.reason else ()
    if evidence.p_value is None or evidence.p_value > share:
        return Decision("clean", (), reasons, None)
    if evidence.success_rate is not None and not evidence.success_rate >= WORKS:
        works = f"{evidence.reason}; it works on only {evidence.success_rate:.0%} of held-out images"
        return Decision("inconclusive", (), (works,), None)
    return Decision("backdoored", evidence.target_labels, reasons, 1 - evidence.p_value)


def judge_findings(findings: Sequence[Finding]) -> Decision:
    """A clean verdict does not stand against a warning: it becomes inconclusive, for the warning's reason."""
    warnings = tuple(finding.message for finding in findings if finding.severity == "warning")
    return Decision("inconclusive" if warnings else "clean", (), warnings, None)


def judge_patches(labels: Sequence[LabelResult], pixels: int, calibration: Calibration | None = None) -> Decision:
    """Weighs each label by the calibrated probability of its norm, in absolute terms and relative to the others.

    `inconclusive` where the probability is near neither end, or the smallest trigger does not work when replayed.
    """
    calibration = calibration or shipped_calibration()
    norms = [label.norm for label in labels]
    judged = tuple(
        dataclasses.replace(label, probability=calibration.probability(label.norm / pixels, depth))
        for label, depth in zip(labels, below_median(np.array(norms)).tolist(), strict=True)
    )
    decision = partial(Decision, labels=judged, threshold=calibrated_threshold(norms, pixels, calibration))
    missed = tuple(label.label for label in judged if label.status != "converged")
    notes = (f"no trigger found for label {', '.join(map(str, missed))}: counted as the whole image",) if missed else ()
    top = max(judged, key=lambda label: label.probability or 0.0)
    likely = top.probability or 0.0
    targets = tuple(
        label.label for label in judged if (label.probability or 0) >= CERTAIN and label.success_rate >= WORKS
    )
    size = f"{top.norm:.1f} of {pixels} pixels turn {top.success_rate:.0%} of other images to label {top.label}"
    if targets:
        return decision("backdoored", targets, (f"{size}: abnormally few", *notes), likely)
    if likely >= CERTAIN:
        reason = f"the smallest trigger, for label {top.label}, works on only {top.success_rate:.0%} of held-out images"
        return decision("inconclusive", (), (reason, *notes), None)
    if likely > 1 - CERTAIN:
        reason = f"{size}: fewer than usual, but no proof (probability of a backdoor {likely:.0%})"
        return decision("inconclusive", (), (reason, *notes), None)
    if len(missed) * 2 > len(judged):
        return decision("inconclusive", (), ("the search failed on most labels", *notes), None)
    reason = f"no label has an abnormally small trigger; the smallest: {size}"
    return decision("clean", (), (reason, *notes), 1 - likely)


def judge_as_paper(labels: Sequence[LabelResult], pixels: int = 0) -> Decision:  # noqa: ARG001
    """Backdoored where the largest low-side MAD anomaly index is at least 2 (paper, section 3.2)."""
    top = max(labels, key=lambda label: label.anomaly_index)
    found = top.anomaly_index >= PAPER_THRESHOLD
    index = f"largest anomaly index {top.anomaly_index:.2f}, label {top.label}"
    reason = f"{index}; the paper's threshold is {PAPER_THRESHOLD:g}"
    return Decision(
        "backdoored" if found else "clean",
        (top.label,) if found else (),
        (reason,),
        None,
        tuple(labels),
        paper_threshold([label.norm for label in labels]),
    )


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


JUDGES: dict[str, Callable[[Sequence[LabelResult], int], Decision]] = {
    "patch": judge_patches,
    "paper": judge_as_paper,
}
"""The rules for evidence label by label."""
