"""One scan, from the file to the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nc_scan.calibration import SHIPPED, load_calibration
from nc_scan.clock import Clock
from nc_scan.contract import Overrides
from nc_scan.convert import converter_versions
from nc_scan.detectors import Detector, Effort, Method, make, names_of
from nc_scan.digest import model_digest
from nc_scan.errors import ModelFileError
from nc_scan.examples import stamp_examples
from nc_scan.opening import OpenedModel, Progress, open_model, silent
from nc_scan.results import Layout, OutputKind, ScanResult
from nc_scan.time_limit import TimeLimit
from nc_scan.under_contract import report_probes, scan_under_contract
from nc_scan.verdict import FALSE_ALARMS, SEVERITY, Judgement
from nc_scan.versions import library_versions


def scan(
    path: str | Path,
    *,
    data: str | Path | None = None,
    seed: int = 0,
    method: Method = "calibrated",
    effort: Effort = "standard",
    detectors: Sequence[str] = (),
    false_alarms: float = FALSE_ALARMS,
    calibration: str | Path | None = None,
    device: str = "cpu",
    budget: float | None = None,
    layout: Layout | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    value_range: str | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    output: str | None = None,
    output_kind: OutputKind | None = None,
    progress: Progress = silent,
    opened: Callable[[OpenedModel], None] = lambda model: None,
) -> ScanResult:
    """Scans one image classifier for a backdoor.

    Args:
        path: the model: ONNX, or Keras or torch.export.save with `nc-scan[convert]`.
        data: images to look through the model with: a folder, .npy, .npz or .parquet; synthetic ones by default.
        seed: decides probes, their order and the start of the search.
        method: `calibrated`, or `paper` for a fixed λ of 0.01 and the rule index >= 2.
        effort: which detectors the method asks: `quick` the patch search, `standard` also those for patterns over the
            whole image and for patches that move every label, `deep` also that for warps.
        detectors: names of those to ask instead, see `nc_scan.detectors`.
        false_alarms: the share of clean models, above 0, that may be called backdoored.
        calibration: a file that `nc-scan calibrate` wrote, in place of the one that comes with this version.
        device: where the search runs: `cpu`, `cuda`, `cuda:1`.
        budget: seconds that the scan may take, planned from a measured rate; what it cannot decide in them is
            `inconclusive`, and its reasons say what was left out. None takes what it takes.
        layout, size, channels, value_range, mean, std, output, output_kind: override what is inferred of the input
            contract; see `nc_scan.contract.Overrides`.
        progress: called with a stage's name, the units of work done and their total. An OutOfTime that it raises while
            a detector works ends that detector, and the scan is inconclusive.
        opened: called once, with the model and the contracts under which it is going to be scanned.

    Every head of the model is scanned, and where the evidence leaves several input contracts plausible, under each of
    them; the worst verdict counts.

    Raises ModelFileError, UnsupportedModelError, NotScannableError, OverrideError, DataError, DeviceError,
    DetectorError, CalibrationError; ValueError for an unknown method or effort, or a share that is none.
    """
    if not 0 < false_alarms <= 1:
        raise ValueError(f"{false_alarms} is no share of clean models: above 0, and at most 1")
    judgement = Judgement(false_alarms, load_calibration(Path(calibration or SHIPPED)))
    asked = [make(name) for name in detectors or names_of(method, effort)]
    path = Path(path)
    clock, limit = Clock(), None if budget is None else TimeLimit.of(budget)
    overrides = Overrides(layout, size, channels, value_range, mean, std, output, output_kind)
    model = open_model(path, data, seed, overrides, clock, progress)
    opened(model)
    # Each contract is a chance of a false alarm, so they share those allowed.
    judgement = dataclasses.replace(judgement, false_alarms=false_alarms / len(model.contracts))
    scans = []
    for place, one in enumerate(model.contracts):
        share = None if limit is None else limit.share(1 / (len(model.contracts) - place))
        scans.append(scan_under_contract(model, one, asked, judgement, seed, device, clock, progress, share))
    worst = max(scans, key=lambda one: SEVERITY.index(one.decision.verdict))
    if model_digest(path) != (model.sha256, model.external):
        raise ModelFileError(f"{path} changed while it was being scanned")
    contract, decision = worst.subject.contract, worst.decision
    return ScanResult(
        verdict=decision.verdict,
        target_labels=decision.target_labels,
        labels=decision.labels,
        reasons=decision.reasons,
        confidence=decision.confidence,
        threshold=decision.threshold,
        path=str(path),
        sha256=model.sha256,
        method=method,
        seed=seed,
        device=f"{device}, {str(worst.subject.precision).removeprefix('torch.')}",
        contract=contract,
        parity=worst.parity,
        probes=report_probes(worst.probes, contract.labels),
        seconds=clock.seconds,
        versions=library_versions() | converter_versions(path),
        converter=model.converter,
        calibration=judgement.calibration.id if decision.p_value is not None else None,
        p_value=None if decision.p_value is None else min(1.0, len(scans) * decision.p_value),
        false_alarms=false_alarms if decision.p_value is not None else None,
        basis=judgement.calibration.in_words if decision.p_value is not None else None,
        external_data=model.external,
        operator_sets={opset.domain or "ai.onnx": opset.version for opset in model.proto.opset_import},
        configuration={
            "data": None if data is None else str(data),
            "budget": budget,
            **dataclasses.asdict(overrides),
            **_settings(asked),
        },
        findings=worst.findings,
        not_run=worst.not_run,
        tried=tuple(one.summary() for one in scans) if len(scans) > 1 else (),
        warnings=worst.warnings(),
        examples=stamp_examples(worst.subject, worst.probes, decision),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        evidence=tuple(dataclasses.replace(one, labels=(), findings=()) for one in worst.evidence),
    )


def _settings(detectors: Sequence[Detector]) -> dict[str, Any]:
    """The settings of every detector that has some, by its name."""
    found = {detector.name: getattr(detector, "settings", None) for detector in detectors}
    return {name: dataclasses.asdict(settings) for name, settings in found.items() if settings is not None}
