"""From the evidence of all detectors to one verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from nc_scan.calibration import Calibration
from nc_scan.results import Evidence, InputContract, LabelResult
from nc_scan.standouts import ENOUGH
from nc_scan.verdict.decision import SEVERITY, Decision, Judgement
from nc_scan.verdict.others import judge_findings, judge_p_value, judge_switches, with_switches
from nc_scan.verdict.patches import judge_as_paper, judge_patches

OF_PATCHES = 0.7  # of the false alarms, for the patch search where others are asked, too; they share the rest
BY_FAR = 100  # times rarer than what is allowed; a clean network of 1,000 labels has come to half of that share
FINDINGS_ONLY = {"graph", "behaviour"}
ASSUMED = ("size", "channels")  # parts of a contract of which one value is scanned, though others run


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
    that have p-values, so that more of them do not give more alarms (a weighted Bonferroni correction; Genovese, Roeder
    and Wasserman, False discovery control with p-value weighting, Biometrika 93, 2006).
    """
    judgement = judgement or Judgement()
    shares = shares_of(evidence, judgement.calibration)
    again = next((one.labels for one in evidence if one.detector == "agreement"), ())
    opinions = [
        _opinion(one, contract, share * judgement.false_alarms, judgement.calibration, again)
        for one, share in zip(evidence, shares, strict=True)
    ]
    if (doubts and contract.labels < ENOUGH) or _false_gradients(evidence):
        opinions = [
            opinion if one.detector == "graph" else _doubted(opinion)
            for one, opinion in zip(evidence, opinions, strict=True)
        ]
    opinions.append(judge_findings([finding for one in evidence for finding in one.findings]))
    if reasons := (*doubts, *_assumptions(contract)):
        opinions.append(Decision("inconclusive", (), reasons, None))
    p_values = [
        opinion.p_value / share
        for opinion, share in zip(opinions, shares, strict=False)
        if opinion.p_value is not None and share
    ]
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
        p_value=min(1.0, *p_values) if p_values else None,
        p_values=tuple(opinion.p_value for opinion in opinions[: len(evidence)]),
        found_by=tuple(
            one.detector for one, opinion in zip(evidence, opinions, strict=False) if opinion.verdict == "backdoored"
        ),
    )


def shares_of(evidence: Sequence[Evidence], calibration: Calibration) -> list[float]:
    """The share of the false alarms that each of these gets: 0 for those without a p-value, in all 1."""
    judged = [has_p_value(one, calibration) for one in evidence]
    patches = [known and one.detector == "patch" for one, known in zip(evidence, judged, strict=True)]
    others = sum(judged) - sum(patches)
    of_patches = (OF_PATCHES if others else 1.0) if any(patches) else 0.0
    of_another = (1 - of_patches) / max(1, others)
    return [of_patches if patch else of_another if known else 0.0 for patch, known in zip(patches, judged, strict=True)]


def has_p_value(evidence: Evidence, calibration: Calibration) -> bool:
    """Whether clean models tell how strong it is: as patches, by its own p-value, or by the tail of its score."""
    if evidence.not_run is not None:
        return False
    scored = "score" in evidence.statistics and evidence.detector in calibration.others
    return evidence.detector == "patch" or evidence.p_value is not None or scored


def _assumptions(contract: InputContract) -> Iterator[str]:
    """What was scanned in one way of many that the model may expect is not clean in the others."""
    if assumed := [part for part in ASSUMED if part in contract.uncertain]:
        options = " and ".join(f"--{part}" for part in assumed)
        yield f"the {' and '.join(assumed)} of the images was assumed, the graph runs on others too: give {options}"


def _of_a_light_search(opinion: Decision, share: float) -> Decision:
    """Few of many labels were searched for, perhaps not the next smallest: what stands out must do so by far."""
    proven = opinion.p_value is not None and opinion.p_value <= share / BY_FAR
    if opinion.verdict != "backdoored" or proven:
        return opinion
    return _undecided(opinion, "few of many labels were searched for, on large images: no proof")


def _undecided(opinion: Decision, why: str) -> Decision:
    """The opinion, which does not hold, with the reason first."""
    reasons = (why, *opinion.reasons)
    return dataclasses.replace(opinion, verdict="inconclusive", target_labels=(), reasons=reasons, confidence=None)


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
            return _undecided(opinion, evidence.gave_up)
        notes = (evidence.reason,) if evidence.reason else ()
        opinion = dataclasses.replace(opinion, reasons=opinion.reasons + notes)
        return _of_a_light_search(opinion, share) if evidence.statistics.get("light") else opinion
    if evidence.detector == "paper":
        return judge_as_paper(evidence.labels)
    tail = calibration.others.get(evidence.detector)
    if tail is not None and "score" in evidence.statistics:
        evidence = dataclasses.replace(evidence, p_value=tail.survival(evidence.statistics["score"]))
    return judge_p_value(evidence, share)


def _false_gradients(evidence: Sequence[Evidence]) -> bool:
    """Whether the patch search found that its gradients are not the deployed model's: then no search can be trusted."""
    of_patches = [one for one in evidence if one.detector == "patch"]
    return any(finding.severity == "warning" for one in of_patches for finding in one.findings)


def _doubted(opinion: Decision) -> Decision:
    """The same without the backdoor.

    Images that a model does not recognise may all lie near one label by nature, and sizes that false gradients led to
    say nothing beside each other.
    """
    if opinion.verdict != "backdoored":
        return opinion
    return dataclasses.replace(opinion, verdict="inconclusive", target_labels=(), confidence=None)
