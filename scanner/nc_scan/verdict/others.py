"""The rules for all other evidence: switches and findings of the graph, and whatever has a p-value."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from nc_scan.results import WORKS, Evidence, Finding, LabelResult
from nc_scan.verdict.decision import DOUBTFUL, Decision

TURNS_MOST = 0.5  # a change of the whole image that turns a smaller share is none, however rare it is


def judge_p_value(evidence: Evidence, share: float) -> Decision:
    """Backdoored where a clean model gives evidence as strong no more often than `share`, and what was found works.

    `inconclusive` where one does so no more often than a few times that.
    """
    reasons = (evidence.reason,) if evidence.reason else ()
    if evidence.p_value is None:
        return Decision("clean", (), reasons, None)
    if evidence.p_value > DOUBTFUL * share:
        usual = tuple(f"nothing unusual (p = {evidence.p_value:.1g}): {reason}" for reason in reasons)
        return Decision("clean", (), usual, None, p_value=evidence.p_value)
    if evidence.p_value > share:
        doubt = f"{evidence.reason}: no proof ({evidence.p_value:.1%} of clean models give evidence as strong)"
        return Decision("inconclusive", (), (doubt,), None, p_value=evidence.p_value)
    if evidence.success_rate is not None and not evidence.success_rate >= TURNS_MOST:
        works = f"{evidence.reason}; it works on only {evidence.success_rate:.0%} of held-out images"
        return Decision("inconclusive", (), (works,), None, p_value=evidence.p_value)
    return Decision("backdoored", evidence.target_labels, reasons, 1 - evidence.p_value, p_value=evidence.p_value)


def judge_switches(evidence: Evidence) -> Decision:
    """Backdoored: the deployed model was seen to follow a switch in its graph on nearly all images."""
    works = evidence.success_rate is not None and evidence.success_rate >= WORKS
    if not works:
        return Decision("inconclusive", (), (evidence.reason,), None)
    return Decision("backdoored", evidence.target_labels, (evidence.reason,), None)


def with_switches(labels: Sequence[LabelResult], evidence: Sequence[Evidence]) -> tuple[LabelResult, ...]:
    """The labels' evidence, with the trigger of a switch in the graph where it is smaller than the one searched for."""
    switched = {label.label: label for one in evidence if one.detector == "graph" for label in one.labels}
    if not labels:
        return tuple(switched.values())
    return tuple(
        dataclasses.replace(
            label,
            norm=switched[label.label].norm,
            success_rate=switched[label.label].success_rate,
            status="converged",
            probability=None,
            trigger=switched[label.label].trigger,
        )
        if label.label in switched and switched[label.label].norm < label.norm
        else label
        for label in labels
    )


def judge_findings(findings: Sequence[Finding]) -> Decision:
    """A clean verdict does not stand against a warning: it becomes inconclusive, for the warning's reason."""
    warnings = tuple(finding.message for finding in findings if finding.severity == "warning")
    return Decision("inconclusive" if warnings else "clean", (), warnings, None)
