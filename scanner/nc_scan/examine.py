"""A model under one input contract: probes, parity, trigger search, decision."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from onnx import ModelProto

from nc_scan.audit import audit, with_findings
from nc_scan.detection import Decision, decide, decide_as_paper, replay, weigh
from nc_scan.detection.calibration import shipped_calibration
from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.parity import ParityReport
from nc_scan.inversion import ADAPTIVE, PAPER, InversionSettings, invert
from nc_scan.prepare import PreparedModel, prepare
from nc_scan.probes import Candidates, ProbeSet, choose_probes
from nc_scan.results import Finding, InputContract, Parity, ProbeReport, TriedContract

Method = Literal["calibrated", "paper"]
Progress = Callable[[str, int, int], None]
PARITY_PROBES = 32
AUDIT_PROBES, AUDIT_BATCH = 128, 16  # few at once: all comparisons in the graph are held
ONE_SIDED = 0.9  # a larger share of the probes in one class says little about the others


class Clock:
    """Seconds a stage; what is entered twice adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Examination:
    """What came out under one contract."""

    model: PreparedModel
    probes: ProbeSet
    parity: ParityReport
    decision: Decision
    findings: tuple[Finding, ...]
    not_run: dict[str, str]

    def summary(self) -> TriedContract:
        """Verdict and smallest trigger."""
        contract = self.model.contract
        smallest = min(self.decision.labels, key=lambda label: label.norm, default=None)
        label, norm = (smallest.label, smallest.norm) if smallest else (None, None)
        return TriedContract(contract.layout, contract.value_range, self.decision.verdict, label, norm)

    def warnings(self) -> tuple[str, ...]:
        """What weakens the decision."""
        contract = self.model.contract
        found = [f"the {part} is not certain: {contract.evidence.get(part, '')}" for part in contract.uncertain]
        predicted = self.probes.labels_before_thinning
        label, count = max(zip(*np.unique(predicted, return_counts=True), strict=True), key=lambda pair: pair[1])
        if count > ONE_SIDED * len(predicted):
            share = f"{count / len(predicted):.0%}"
            found.append(f"the model gives {share} of the images label {label}: it may expect other images, try --data")
        return tuple(found)


def examine(
    proto: ModelProto,
    contract: InputContract,
    images: Candidates,
    seed: int,
    method: Method,
    device: str,
    clock: Clock,
    progress: Progress,
) -> Examination:
    """Imports the model under the contract, compares it with onnxruntime, searches triggers and decides."""
    with clock("import"):
        model = prepare(proto, contract, device)
    with clock("probes"):
        probes = choose_probes(images, model.deployed_labels)
    with clock("parity"):
        parity = model.parity(probes.search[:PARITY_PROBES])
    with clock("audit"):
        findings, not_run = _audit(model, probes)
    if parity.ok:
        decision = _search(model, probes, method, seed, clock, progress)
        if method == "calibrated":
            decision = with_findings(decision, findings)
    else:
        reason = "the imported model does not compute what onnxruntime computes, so there is nothing to judge"
        decision = Decision("inconclusive", (), (reason,), None, ())
        not_run["trigger search"] = reason
    return Examination(model, probes, parity, decision, findings, not_run)


def _audit(model: PreparedModel, probes: ProbeSet) -> tuple[tuple[Finding, ...], dict[str, str]]:
    """The findings in the graph, or why it was not audited."""
    contract, images = model.contract, probes.held_out[:AUDIT_PROBES]
    batches = [model.model_input(images[start : start + AUDIT_BATCH]) for start in range(0, len(images), AUDIT_BATCH)]
    try:
        return audit(model.proto, contract.output_name, contract.labels, batches), {}
    except UnsupportedModelError as error:
        return (), {"graph audit": str(error)}


def _search(
    model: PreparedModel, probes: ProbeSet, method: Method, seed: int, clock: Clock, progress: Progress
) -> Decision:
    contract = model.contract
    scale, offset = model.channel_affine
    with clock("inversion"):
        found = invert(
            model.scores,
            torch.from_numpy(probes.search).to(model.device),
            range(contract.labels),
            settings_of(method),
            scale=scale,
            offset=offset,
            generator=torch.Generator().manual_seed(seed),
            on_progress=lambda done, total: progress("searching triggers", done, total),
        )
    with clock("replay"):
        progress("replaying triggers", 0, 1)
        labels = weigh(found, replay(model, probes, found))
    return decide_as_paper(labels) if method == "paper" else decide(labels, contract.pixels, shipped_calibration())


def settings_of(method: Method) -> InversionSettings:
    """How a method searches."""
    return PAPER if method == "paper" else ADAPTIVE


def report_parity(parity: ParityReport) -> Parity:
    """The comparison with onnxruntime as a result."""
    node = parity.first_divergence
    return Parity(
        parity.ok,
        parity.max_abs_difference,
        parity.tolerance,
        parity.label_agreement,
        f"{node.operator} {node.node} ({node.value})" if node else None,
    )


def report_probes(probes: ProbeSet, labels: int) -> ProbeReport:
    """The probes as a result."""
    histogram = tuple(np.bincount(probes.labels, minlength=labels).tolist())
    digest = hashlib.sha256(probes.search.tobytes() + probes.held_out.tobytes()).hexdigest()
    return ProbeReport(probes.source, len(probes.search), len(probes.held_out), histogram, digest)
