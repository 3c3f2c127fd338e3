"""One scan, from the file to the verdict."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from nc_scan.contract import infer_contract
from nc_scan.detection import Decision, decide, decide_as_paper, replay, stamp, weigh
from nc_scan.detection.calibration import shipped_calibration
from nc_scan.detection.threshold import calibrated_threshold, paper_threshold
from nc_scan.digest import external_digests, file_digest
from nc_scan.errors import ModelFileError
from nc_scan.graph import load_model
from nc_scan.graph.parity import ParityReport
from nc_scan.inversion import ADAPTIVE, PAPER, InversionSettings, invert
from nc_scan.prepare import PreparedModel, prepare
from nc_scan.probes import ProbeSet, synthetic_probes, user_probes
from nc_scan.probes.files import read_images
from nc_scan.results import Layout, Parity, ProbeReport, ScanResult
from nc_scan.versions import library_versions

Method = Literal["calibrated", "paper"]
Progress = Callable[[str, int, int], None]
PARITY_PROBES = 32


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
    progress: Progress = lambda stage, done, total: None,
) -> ScanResult:
    """Scans one ONNX image classifier for a backdoor.

    Args:
        path: the model.
        data: images to look through the model with: a folder, .npy, .npz or .parquet; synthetic ones by default.
        seed: decides probes, their order and the start of the search.
        method: `calibrated`, or `paper` for a fixed λ of 0.01 and the rule index >= 2.
        device: where the search runs: `cpu`, `cuda`, `cuda:1`.
        layout, side, value_range: override what is inferred of the input contract.
        progress: called with a stage's name, the units of work done and their total.

    Raises ModelFileError, UnsupportedModelError, NotScannableError, DataError, ValueError for an unknown option.
    """
    if method not in get_args(Method):
        raise ValueError(f"unknown method {method!r}: one of {', '.join(get_args(Method))}")
    path = Path(path)
    clock = _Clock()
    rng = np.random.default_rng(seed)
    with clock("import"):
        progress("reading the model", 0, 1)
        proto, sha256 = load_model(path), file_digest(path)
        contract = infer_contract(proto, layout=layout, side=side, value_range=value_range)
        model = prepare(proto, contract, device)
    with clock("probes"):
        progress("making probes", 0, 1)
        probes = _probes(model, data, rng)
    with clock("parity"):
        parity = model.parity(probes.search[:PARITY_PROBES])
    if parity.ok:
        decision = _search(model, probes, method, seed, clock, progress)
    else:
        reason = "the imported model does not compute what onnxruntime computes, so there is nothing to judge"
        decision = Decision("inconclusive", (), (reason,), None, ())
    external = external_digests(path)
    if file_digest(path) != sha256:
        raise ModelFileError(f"{path} changed while it was being scanned")
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
        device=f"{device}, {str(model.precision).removeprefix('torch.')}",
        contract=contract,
        parity=_report_parity(parity),
        probes=_report_probes(probes, contract.labels),
        seconds=clock.seconds,
        versions=library_versions(),
        calibration=shipped_calibration().id if method == "calibrated" else None,
        external_data=external,
        operator_sets={opset.domain or "ai.onnx": opset.version for opset in proto.opset_import},
        configuration={
            "data": None if data is None else str(data),
            "layout": layout,
            "side": side,
            "value_range": value_range,
            "search": dataclasses.asdict(_settings(method)),
        },
        not_run={} if parity.ok else {"trigger search": decision.reasons[0]},
        examples=stamp(model, probes, decision) if decision.labels else (),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _probes(model: PreparedModel, data: str | Path | None, rng: np.random.Generator) -> ProbeSet:
    contract = model.contract
    size = (contract.channels, contract.height, contract.width)
    if data is None:
        return synthetic_probes(*size, model.deployed_labels, rng)
    return user_probes(str(data), read_images(Path(data), *size, rng), model.deployed_labels, rng)


def _search(
    model: PreparedModel, probes: ProbeSet, method: Method, seed: int, clock: _Clock, progress: Progress
) -> Decision:
    contract = model.contract
    with clock("inversion"):
        found = invert(
            model.scores,
            torch.from_numpy(probes.search).to(model.device),
            range(contract.labels),
            _settings(method),
            scale=contract.scale,
            offset=contract.offset,
            generator=torch.Generator().manual_seed(seed),
            on_step=lambda done, total: progress("searching triggers", done, total),
        )
    with clock("replay"):
        progress("replaying triggers", 0, 1)
        labels = weigh(found, replay(model, probes, found))
    return decide_as_paper(labels) if method == "paper" else decide(labels, contract.pixels, shipped_calibration())


def _settings(method: Method) -> InversionSettings:
    return PAPER if method == "paper" else ADAPTIVE


def _threshold(decision: Decision, method: Method, pixels: int) -> float | None:
    norms = [label.norm for label in decision.labels]
    if not norms:
        return None
    return paper_threshold(norms) if method == "paper" else calibrated_threshold(norms, pixels, shipped_calibration())


def _report_parity(parity: ParityReport) -> Parity:
    node = parity.first_divergence
    return Parity(
        parity.ok,
        parity.max_abs_difference,
        parity.tolerance,
        parity.label_agreement,
        f"{node.operator} {node.node} ({node.value})" if node else None,
    )


def _report_probes(probes: ProbeSet, labels: int) -> ProbeReport:
    predicted = np.concatenate([probes.search_labels, probes.held_out_labels])
    histogram = tuple(np.bincount(predicted, minlength=labels).tolist())
    digest = hashlib.sha256(probes.search.tobytes() + probes.held_out.tobytes()).hexdigest()
    return ProbeReport(probes.source, len(probes.search), len(probes.held_out), histogram, digest)


class _Clock:
    """Seconds a stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start
