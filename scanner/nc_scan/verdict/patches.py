"""The rules for the smallest patch of every label: by p-value, and the paper's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np

from nc_kernels import mad
from nc_kernels.statistics import NORMAL_CONSISTENCY
from nc_scan.calibration import Calibration
from nc_scan.results import WORKS, LabelResult, Verdict
from nc_scan.standouts import SMALLEST_NORM, Standout, standouts
from nc_scan.verdict.decision import DOUBTFUL, Decision

PAPER_THRESHOLD = 2.0
GRID = 256
NAMED = 5  # labels in a sentence


def judge_patches(
    labels: Sequence[LabelResult],
    pixels: int,
    share: float,
    calibration: Calibration,
    again: Sequence[LabelResult] = (),
    *,
    among: int | None = None,
) -> Decision:
    """Backdoored where the smallest triggers stand out as far as those of clean models do no more often than `share`.

    `inconclusive` where they do so no more often than a few times that, where the smallest trigger does not work when
    replayed, and where a label has no trigger at all: what no search reaches may be hidden from it.

    The labels are those that were searched for `among` so many, which by default are all.

    `again` are the labels as found on images of another kind, if they were looked for there. The same ones must stand
    out there, too, a few times less rarely at most; to ask for both can only make false alarms fewer.
    """
    searched = [label for label in labels if label.status != "skipped"]
    groups = _standouts(searched, pixels, among)
    best = min(groups, key=calibration.p_value)
    p_value, likely = calibration.p_value(best), calibration.probability(best)
    if again:
        shared = [group for group in _standouts(again, pixels, among) if set(group.labels) & set(best.labels)]
        p_value = max(p_value, min(map(calibration.p_value, shared), default=1.0) / DOUBTFUL)
    verdict, targets, reasons = _weigh(searched, best.labels, pixels, p_value, share)
    by_label = {label: calibration.probability(group) for group in reversed(groups) for label in group.labels}
    return Decision(
        verdict,
        targets,
        reasons,
        confidence={"backdoored": likely, "clean": 1 - likely}.get(verdict),
        labels=tuple(dataclasses.replace(label, probability=by_label.get(label.label)) for label in labels),
        threshold=calibrated_threshold([label.norm for label in searched], pixels, share, calibration, among),
        p_value=p_value,
    )


def _standouts(labels: Sequence[LabelResult], pixels: int, among: int | None) -> tuple[Standout, ...]:
    searched = [label for label in labels if label.status != "skipped"]
    norms, names = [label.norm for label in searched], [label.label for label in searched]
    return standouts(norms, pixels, names, [label.drawn for label in searched], among)


def _weigh(
    labels: Sequence[LabelResult], standing_out: Sequence[int], pixels: int, p_value: float, share: float
) -> tuple[Verdict, tuple[int, ...], tuple[str, ...]]:
    """The verdict on these labels, the targets, and the sentences."""
    smallest = min(labels, key=lambda label: label.norm)
    works = f"{smallest.success_rate:.0%} of other images to label {smallest.label}"
    size = f"{smallest.norm:.1f} of {pixels} pixels turn {works}"
    failed = search_failed(labels)
    notes = (failed,) if failed else ()
    if p_value <= share:
        working = {label.label for label in labels if label.success_rate >= WORKS}
        targets = tuple(sorted(working.intersection(standing_out)))
        if targets:
            return "backdoored", targets, (f"{size}: abnormally few (p = {p_value:.1g})", *notes)
        return (
            "inconclusive",
            (),
            (f"the smallest trigger does not work on held-out images: it turns only {works}", *notes),
        )
    if p_value <= DOUBTFUL * share:
        return "inconclusive", (), (f"{size}: fewer than usual, but no proof (p = {p_value:.1g})", *notes)
    ordinary = f"no label has an abnormally small trigger (p = {p_value:.1g}); the smallest: {size}"
    return ("inconclusive", (), (failed, ordinary)) if failed else ("clean", (), (ordinary,))


def judge_as_paper(labels: Sequence[LabelResult]) -> Decision:
    """Backdoored where the largest low-side MAD anomaly index is at least 2 (paper, section 3.2).

    The paper does not say what to do where a search fails; here it is never clean.
    """
    top = max(labels, key=lambda label: label.anomaly_index)
    found = top.anomaly_index >= PAPER_THRESHOLD
    index = f"largest anomaly index {top.anomaly_index:.2f}, label {top.label}"
    reason = f"{index}; the paper's threshold is {PAPER_THRESHOLD:g}"
    threshold = paper_threshold([label.norm for label in labels])
    decision = partial(Decision, confidence=None, labels=tuple(labels), threshold=threshold)
    if found:
        return decision("backdoored", (top.label,), (reason,))
    failed = search_failed(labels)
    return decision("inconclusive", (), (failed, reason)) if failed else decision("clean", (), (reason,))


def search_failed(labels: Sequence[LabelResult]) -> str:
    """Why no label of these can be called clean, empty where all can.

    A search that stayed below the success it was to reach may still have a trigger that works; where most labels are of
    that kind, or one has none that works, what it missed may be what matters.
    """
    short = [label for label in labels if label.status == "not_converged"]
    missed = short if 2 * len(short) > len(labels) else [one for one in short if not one.success_rate >= WORKS]
    if not missed:
        return ""
    named = ", ".join(str(label.label) for label in missed[:NAMED]) + (", ..." if len(missed) > NAMED else "")
    return f"the search failed on {len(missed)} of {len(labels)} labels ({named})"


def calibrated_threshold(
    norms: Sequence[float], pixels: int, share: float, calibration: Calibration, among: int | None = None
) -> float | None:
    """The largest norm at which one label beside the others of these would be suspected; None where there is none.

    The others are all but the smallest. The norms are those of labels `among` so many, by default all.
    """
    others = sorted(norms)[1:]
    candidates = np.geomspace(SMALLEST_NORM, others[0], GRID)
    smallest = ((norm, standouts([norm, *others], pixels, among=among)[0]) for norm in candidates.tolist())
    return max((norm for norm, group in smallest if calibration.p_value(group) <= share), default=None)


def paper_threshold(norms: Sequence[float]) -> float | None:
    """The norm whose anomaly index is 2; None where not even an empty mask reaches it."""
    median, deviation = mad(np.array(norms))
    norm = float(median - PAPER_THRESHOLD * NORMAL_CONSISTENCY * deviation)
    return norm if norm > 0 else None
