"""One scan, from the file to the result."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np

from nc_scan.contract import Overrides, infer_contract, read_signature
from nc_scan.convert import converter_versions, onnx_source
from nc_scan.detection import Decision, stamp
from nc_scan.detection.calibration import shipped_calibration
from nc_scan.detection.threshold import calibrated_threshold, paper_threshold
from nc_scan.digest import external_digests, file_digest
from nc_scan.errors import ModelFileError
from nc_scan.examine import Clock, Method, Progress, examine, report_parity, report_probes, settings_of
from nc_scan.graph import load_model
from nc_scan.probes import gather, given_images, sample
from nc_scan.results import Layout, OutputKind, ScanResult
from nc_scan.versions import library_versions

SEVERITY = ("clean", "inconclusive", "backdoored")


def scan(
    path: str | Path,
    *,
    data: str | Path | None = None,
    seed: int = 0,
    method: Method = "calibrated",
    device: str = "cpu",
    layout: Layout | None = None,
    side: int | None = None,
    value_range: str | None = None,
    output: str | None = None,
    output_kind: OutputKind | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> ScanResult:
    """Scans one image classifier for a backdoor.

    Args:
        path: the model: ONNX, or Keras or torch.export.save with `nc-scan[convert]`.
        data: images to look through the model with: a folder, .npy, .npz or .parquet; synthetic ones by default.
        seed: decides probes, their order and the start of the search.
        method: `calibrated`, or `paper` for a fixed λ of 0.01 and the rule index >= 2.
        device: where the search runs: `cpu`, `cuda`, `cuda:1`.
        layout, side, value_range, output, output_kind: override what is inferred of the input contract; see
            `nc_scan.contract.Overrides`.
        progress: called with a stage's name, the units of work done and their total.

    Where the evidence leaves several input contracts plausible, the model is scanned under each, and the worst verdict
    counts.

    Raises ModelFileError, UnsupportedModelError, NotScannableError, OverrideError, DataError, DeviceError; ValueError
    for an unknown method.
    """
    if method not in get_args(Method):
        raise ValueError(f"unknown method {method!r}: one of {', '.join(get_args(Method))}")
    path = Path(path)
    clock = Clock()
    rng = np.random.default_rng(seed)
    overrides = Overrides(layout, side, value_range, output, output_kind)
    with clock("import"):
        progress("reading the model", 0, 1)
        with onnx_source(path) as source:
            proto, sha256 = load_model(source.path), file_digest(path)
    with clock("contract"):
        progress("finding out what it expects", 0, 1)
        signature = read_signature(proto, overrides)
        given = given_images(data, signature.image, rng)
        contracts = infer_contract(proto, signature, sample(given, signature.image, rng), overrides)
    with clock("probes"):
        progress("making probes", 0, 1)
        images = gather(given, signature.image, rng)
    examined = [examine(proto, contract, images, seed, method, device, clock, progress) for contract in contracts]
    worst = max(examined, key=lambda one: SEVERITY.index(one.decision.verdict))
    external = external_digests(path)
    if file_digest(path) != sha256:
        raise ModelFileError(f"{path} changed while it was being scanned")
    contract, decision = worst.model.contract, worst.decision
    return ScanResult(
        verdict=decision.verdict,
        target_labels=decision.target_labels,
        labels=decision.labels,
        reasons=decision.reasons,
        confidence=decision.confidence,
        threshold=_threshold(decision, method, contract.pixels),
        path=str(path),
        sha256=sha256,
        method=method,
        seed=seed,
        device=f"{device}, {str(worst.model.precision).removeprefix('torch.')}",
        contract=contract,
        parity=report_parity(worst.parity),
        probes=report_probes(worst.probes, contract.labels),
        seconds=clock.seconds,
        versions=library_versions() | converter_versions(path),
        converter=source.converter,
        calibration=shipped_calibration().id if method == "calibrated" else None,
        external_data=external,
        operator_sets={opset.domain or "ai.onnx": opset.version for opset in proto.opset_import},
        configuration={
            "data": None if data is None else str(data),
            **dataclasses.asdict(overrides),
            "search": dataclasses.asdict(settings_of(method)),
        },
        findings=worst.findings,
        not_run=worst.not_run,
        tried=tuple(one.summary() for one in examined) if len(examined) > 1 else (),
        warnings=worst.warnings(),
        examples=stamp(worst.model, worst.probes, decision) if decision.labels else (),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _threshold(decision: Decision, method: Method, pixels: int) -> float | None:
    norms = [label.norm for label in decision.labels]
    if not norms:
        return None
    return paper_threshold(norms) if method == "paper" else calibrated_threshold(norms, pixels, shipped_calibration())
