"""A model under one input contract: probes, parity, what every detector finds, decision."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nc_scan.as_deployed import as_deployed
from nc_scan.clock import Clock
from nc_scan.detectors import Detector
from nc_scan.detectors.patch import Agreement, PatchSearch
from nc_scan.opening import OpenedModel, Progress
from nc_scan.probes import ProbeSet, probes_for, probes_of_another_kind
from nc_scan.probes.recognition import ONE_SIDED, enough_for_clean
from nc_scan.results import Evidence, Finding, InputContract, Parity, ProbeReport, TriedContract
from nc_scan.search import Budget, OutOfTime
from nc_scan.subject import Subject, open_subject
from nc_scan.time_limit import TimeLimit, passes_a_second
from nc_scan.verdict import Decision, Judgement, decide

PARITY_PROBES = 32
SEARCHING = 0.9  # of the time left; the rest is for replay and reports
PLANNED = 0.85  # of the passes that fit: others may come to want the machine
NO_PARITY = "the imported model does not compute what onnxruntime computes, so there is nothing to judge"


@dataclass(frozen=True)
class ContractScan:
    """What came out under one contract."""

    subject: Subject
    probes: ProbeSet
    parity: Parity
    evidence: tuple[Evidence, ...]
    decision: Decision

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all detectors, warnings first."""
        found = [finding for one in self.evidence for finding in one.findings]
        return tuple(sorted(found, key=lambda finding: finding.severity != "warning"))

    @property
    def not_run(self) -> dict[str, str]:
        """Detectors without evidence, each with the reason."""
        return {one.detector: one.not_run for one in self.evidence if one.not_run is not None}

    def summary(self) -> TriedContract:
        """Verdict and smallest trigger."""
        contract = self.subject.contract
        smallest = min(self.decision.labels, key=lambda label: label.norm, default=None)
        label, norm = (smallest.label, smallest.norm) if smallest else (None, None)
        return TriedContract(
            contract.layout, contract.value_range, self.decision.verdict, label, norm, contract.output_name
        )

    def warnings(self) -> tuple[str, ...]:
        """What weakens the decision."""
        contract = self.subject.contract
        found = [f"the {part} is not certain: {contract.evidence.get(part, '')}" for part in contract.uncertain]
        predicted = self.probes.labels_before_thinning
        label, count = max(zip(*np.unique(predicted, return_counts=True), strict=True), key=lambda pair: pair[1])
        if count > ONE_SIDED * len(predicted):
            share = f"{count / len(predicted):.0%}"
            found.append(f"the model gives {share} of the images label {label}: it may expect other images, try --data")
        return tuple(found)


def scan_under_contract(
    model: OpenedModel,
    contract: InputContract,
    detectors: Sequence[Detector],
    judgement: Judgement,
    seed: int,
    device: str,
    clock: Clock,
    progress: Progress,
    limit: TimeLimit | None = None,
) -> ContractScan:
    """Imports the model under the contract, compares it with onnxruntime, asks every detector and decides.

    What the patch search finds is looked for again on images of another kind, where there are some.

    With a time limit the detectors share what is left of it by what they cost; what one cannot do in its share it
    leaves.
    """
    with clock("import"):
        subject = open_subject(model.proto, contract, device)
    with clock("probes"):
        progress("choosing probes", 0, 1)
        probes = probes_for(model.images, subject.deployed_scores)
    with clock("behaviour"):
        subject, behaviour = as_deployed(subject, probes.held_out, device)
    with clock("parity"):
        parity = subject.parity(probes.search[:PARITY_PROBES])
    costs = [detector.cost(subject) for detector in detectors]
    evidence = [behaviour] if behaviour.findings else []
    for place, detector in enumerate(detectors):
        part = max(1, costs[place]) / max(1, sum(costs[place:]))
        share = None if limit is None else limit.share(min(1.0, part))
        evidence.append(ask(detector, subject, probes, parity, seed, clock, progress, share))
    doubts = doubts_of(probes, contract.labels)
    decision = decide(evidence, contract, judgement, doubts)
    if PatchSearch.name in decision.found_by:
        other = probes_of_another_kind(model.images, subject.deployed_scores, probes)
        if other is not None:
            searched = next(one.labels for one in evidence if one.detector == PatchSearch.name)
            again = Agreement({label.label: label.drawn for label in searched})
            evidence.append(ask(again, subject, other, parity, seed, clock, progress, limit))
            decision = decide(evidence, contract, judgement, doubts)
    weighed = tuple(
        dataclasses.replace(one, p_value=p_value) for one, p_value in zip(evidence, decision.p_values, strict=True)
    )
    return ContractScan(subject, probes, parity, weighed, decision)


def ask(
    detector: Detector,
    subject: Subject,
    probes: ProbeSet,
    parity: Parity,
    seed: int,
    clock: Clock,
    progress: Progress,
    limit: TimeLimit | None = None,
) -> Evidence:
    """The detector's evidence; its random numbers do not depend on which others are asked."""
    covers = tuple(sorted(detector.covers))
    if detector.needs_gradients and not parity.agrees:
        return Evidence(detector.name, covers, not_run=NO_PARITY)
    before = clock.seconds.get(detector.name, 0.0)
    with clock(detector.name):
        budget, title = _budget(detector, subject, progress, limit)
        try:
            progress(title, 0, 1)
            evidence = detector.run(subject, probes, budget, torch.Generator().manual_seed(seed))
        except OutOfTime as error:  # what the others found is told
            evidence = Evidence(detector.name, covers, not_run=str(error), gave_up=str(error))
    return dataclasses.replace(evidence, passes=budget.spent, seconds=clock.seconds[detector.name] - before)


def _budget(detector: Detector, subject: Subject, progress: Progress, limit: TimeLimit | None) -> tuple[Budget, str]:
    """The detector's budget, and its title, with how long it will take where it is to keep to a time."""
    cost, title = detector.cost(subject), detector.title
    if limit is None or not detector.needs_gradients:
        return Budget(cost, lambda spent, whole: progress(title, spent, whole)), title
    rate = passes_a_second(subject)
    seconds = SEARCHING * limit.left
    title = f"{title}, about {min(cost / rate, seconds):.0f} s"
    told = lambda spent, whole: progress(title, spent, whole)  # noqa: E731
    return Budget(cost, told, affordable=int(PLANNED * rate * seconds), seconds=seconds), title


def doubts_of(probes: ProbeSet, labels: int) -> tuple[str, ...]:
    """Why a model of so many labels that was looked through with these probes cannot be called clean, if so."""
    if probes_suffice(probes, labels):
        return ()
    nats = f"{probes.recognised[0].information:.2f} nats"
    return (f"the images tell the model too little ({nats}) to judge it by: give others with --data",)


def report_probes(probes: ProbeSet, labels: int) -> ProbeReport:
    """The probes as a result."""
    histogram = tuple(np.bincount(probes.labels, minlength=labels).tolist())
    digest = hashlib.sha256(probes.search.tobytes() + probes.held_out.tobytes()).hexdigest()
    return ProbeReport(
        probes.source,
        len(probes.search),
        len(probes.held_out),
        histogram,
        digest,
        probes.recognised,
        probes_suffice(probes, labels),
    )


def probes_suffice(probes: ProbeSet, labels: int) -> bool:
    """Whether a model of so many labels that they find nothing in is clean; of feature vectors nothing is known."""
    return not probes.recognised or enough_for_clean(probes.recognised[0], labels)
