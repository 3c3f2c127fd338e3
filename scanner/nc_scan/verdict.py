"""The only place where evidence becomes a verdict.

Every detector's evidence is judged by a rule of its own, or by its p-value; the worst of these opinions is the verdict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from nc_kernels import mad
from nc_kernels.statistics import NORMAL_CONSISTENCY
from nc_scan.calibration import Calibration, load_calibration
from nc_scan.results import Evidence, Finding, InputContract, LabelResult, Verdict
from nc_scan.standouts import ENOUGH, SMALLEST_NORM, Standout, standouts

SEVERITY = ("clean", "inconclusive", "backdoored")
PAPER_THRESHOLD = 2.0
DOUBTFUL = 5  # times the false alarms allowed: evidence that this share of clean models gives decides nothing
WORKS = 0.8  # a trigger that turns a smaller share of the held-out probes is no evidence of a backdoor
FINDINGS_ONLY = {"graph", "behaviour"}
FALSE_ALARMS = 0.01  # share of clean models that may be called backdoored by p-values, all detectors together
GRID = 256
NAMED = 5  # labels in a sentence
ASSUMED = ("size", "channels")  # parts of a contract of which one value is scanned, though others run


@dataclass(frozen=True)
class Decision:
    """A verdict with the labels it names, its sentences, its probability and the labels' evidence.

    `threshold` is the norm, in pixels, under which a label among these would be suspected; None where there is none.
    `p_value` is the share of clean models with evidence as strong, None where nobody knows; `p_values` are those of the
    single detectors, `found_by` those whose evidence alone is called a backdoor.
    """

    verdict: Verdict
    target_labels: tuple[int, ...]
    reasons: tuple[str, ...]
    confidence: float | None
    labels: tuple[LabelResult, ...] = ()
    threshold: float | None = None
    p_value: float | None = None
    p_values: tuple[float | None, ...] = ()
    found_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What evidence is held against: known models, and the share of clean ones that may be called backdoored."""

    false_alarms: float = FALSE_ALARMS
    calibration: Calibration = field(default_factory=load_calibration)


def decide(
    evidence: Sequence[Evidence],
    contract: InputContract,
    judgement: Judgement | None = None,
    doubts: Sequence[str] = (),
) -> Decision:
    """The worst opinion, with the reasons of all.

    `doubts` are reasons for which the images tell nothing: then nothing is called clean, and of few labels, which have
    next to no others to stand out from, only what was seen in the graph a backdoor.

    Opinions are not multiplied as if they were independent: the false alarms allowed are shared out among the detectors
    that have p-values, so that more of them do not give more alarms.
    """
    judgement = judgement or Judgement()
    sharing = max(1, sum(has_p_value(one, judgement.calibration) for one in evidence))
    share = judgement.false_alarms / sharing
    again = next((one.labels for one in evidence if one.detector == "agreement"), ())
    opinions = [_opinion(one, contract, share, judgement.calibration, again) for one in evidence]
    if doubts and contract.labels < ENOUGH:
        opinions = [
            opinion if one.detector == "graph" else _doubted(opinion)
            for one, opinion in zip(evidence, opinions, strict=True)
        ]
    opinions.append(judge_findings([finding for one in evidence for finding in one.findings]))
    if reasons := (*doubts, *_assumptions(contract)):
        opinions.append(Decision("inconclusive", (), reasons, None))
    p_values = [opinion.p_value for opinion in opinions if opinion.p_value is not None]
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
        labels=with_switches(labelled.labels if labelled else (), evidence),
        threshold=labelled.threshold if labelled else None,
        p_value=min(1.0, sharing * min(p_values)) if p_values else None,
        p_values=tuple(opinion.p_value for opinion in opinions[: len(evidence)]),
        found_by=tuple(
            one.detector for one, opinion in zip(evidence, opinions, strict=False) if opinion.verdict == "backdoored"
        ),
    )


def has_p_value(evidence: Evidence, calibration: Calibration) -> bool:
    """Whether clean models tell how strong it is: as patches, by its own p-value, or by the tail of its score."""
    return evidence.detector == "patch" or evidence.p_value is not None or evidence.detector in calibration.others


def _assumptions(contract: InputContract) -> Iterator[str]:
    """What was scanned in one way of many that the model may expect is not clean in the others."""
    if assumed := [part for part in ASSUMED if part in contract.uncertain]:
        options = " and ".join(f"--{part}" for part in assumed)
        yield f"the {' and '.join(assumed)} of the images was assumed, the graph runs on others too: give {options}"


def _opinion(
    evidence: Evidence, contract: InputContract, share: float, calibration: Calibration, again: Sequence[LabelResult]
) -> Decision:
    if evidence.detector == "graph" and evidence.target_labels:
        return judge_switches(evidence)
    if evidence.detector in FINDINGS_ONLY and evidence.not_run is None:
        return Decision("clean", (), (), None)  # its findings are judged with all others
    if evidence.detector == "agreement":
        return Decision("clean", (), (), None)  # what it says counts with the patches
    if evidence.not_run is not None:
        return Decision("inconclusive", (), (evidence.not_run,), None)
    if evidence.detector == "patch":
        opinion = judge_patches(evidence.labels, contract.pixels, share, calibration, again, among=contract.labels)
        if evidence.gave_up and opinion.verdict == "clean":
            return dataclasses.replace(
                opinion, verdict="inconclusive", reasons=(evidence.gave_up, *opinion.reasons), confidence=None
            )
        notes = (evidence.reason,) if evidence.reason else ()
        opinion = dataclasses.replace(opinion, reasons=opinion.reasons + notes)
        return _doubted(opinion) if any(one.severity == "warning" for one in evidence.findings) else opinion
    if evidence.detector == "paper":
        return judge_as_paper(evidence.labels)
    tail = calibration.others.get(evidence.detector)
    if tail is not None:
        evidence = dataclasses.replace(evidence, p_value=tail.survival(evidence.statistics["score"]))
    return judge_p_value(evidence, share)


def _doubted(opinion: Decision) -> Decision:
    """The same without the backdoor.

    Images that a model does not recognise may all lie near one label by nature, and sizes that false gradients led to
    say nothing beside each other.
    """
    if opinion.verdict != "backdoored":
        return opinion
    return dataclasses.replace(opinion, verdict="inconclusive", target_labels=(), confidence=None)


def judge_p_value(evidence: Evidence, share: float) -> Decision:
    """Backdoored where a clean model gives evidence as strong no more often than `share`, and what was found works.

    `inconclusive` where one does so no more often than a few times that.
    """
    reasons = (evidence.reason,) if evidence.reason else ()
    if evidence.p_value is None or evidence.p_value > DOUBTFUL * share:
        return Decision("clean", (), reasons, None, p_value=evidence.p_value)
    if evidence.p_value > share:
        doubt = f"{evidence.reason}: no proof ({evidence.p_value:.1%} of clean models give evidence as strong)"
        return Decision("inconclusive", (), (doubt,), None, p_value=evidence.p_value)
    if evidence.success_rate is not None and not evidence.success_rate >= WORKS:
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
