"""Hand-made results: every verdict, no model behind them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nc_scan.results import (
    Evidence,
    FailedScan,
    Finding,
    InputContract,
    LabelResult,
    Outcome,
    Parity,
    ProbeReport,
    Recognition,
    ScanResult,
    StampedProbe,
    TriedContract,
    Trigger,
)

SIDE = 16
VERSIONS = {"nc-scan": "0.1.0", "torch": "2.13.0"}
EVIDENCE = {
    "layout": "the axis of 3 holds the channels",
    "channels": "shape of the input",
    "size": "shape of the input",
    "dtype": "type of the input",
    "output": "the only output",
    "output kind": "values of the output, no Softmax or Sigmoid before the output",
    "labels": "width of the output",
    "value range": "assumed for a float32 input",
}
RECOGNISED = (
    Recognition("dead leaves", 256, 0.12, 0.5, 0.2, 10),
    Recognition("bright strokes", 256, 0.0512, 0.7, 0.6, 4),
)
FINISHED = "2026-11-23T20:00:00+00:00"


def make_result(labels: int = 10, target: int | None = 3, channels: int = 3) -> ScanResult:
    """A result with a 3x3 trigger in the lower right corner for `target`, blobs in the middle for the others."""
    rng = np.random.default_rng(0)
    norms = rng.uniform(60, 90, labels)
    if target is not None:
        norms[target] = 8.5
    median = float(np.median(norms))
    results = []
    for label, norm in enumerate(norms.tolist()):
        suspected = label == target
        mask = np.zeros((SIDE, SIDE), np.float32)
        if suspected:
            mask[12:15, 12:15] = 0.9
        else:
            mask[3:12, 3:12] = rng.uniform(0.2, 1, (9, 9))
        results.append(
            LabelResult(
                label=label,
                norm=norm,
                anomaly_index=max(0.0, (median - norm) / 8),
                robust_z=(median - norm) / 10,
                success_rate=1.0 if suspected else 0.9,
                status="converged",
                probability=0.98 if suspected else 0.01,
                trigger=Trigger(mask, rng.random((channels, SIDE, SIDE)).astype(np.float32)),
            )
        )
    shown = 0 if target is None else target
    histogram = tuple(0 if label == 1 else 100 + 13 * (label % 4) for label in range(labels))
    return ScanResult(
        verdict="clean" if target is None else "backdoored",
        target_labels=() if target is None else (target,),
        labels=tuple(results),
        reasons=("no abnormally small trigger" if target is None else "8.5 of 256 pixels: abnormally few",),
        confidence=0.98,
        path="models/cat & dog <v2>.onnx",
        sha256="ab" * 32,
        method="calibrated",
        seed=0,
        device="cpu, float32",
        contract=InputContract(
            "image", "NCHW", channels, SIDE, SIDE, "float32", "0..1", (1.0,) * channels, (0.0,) * channels,
            "scores", "logits", "scores", labels, evidence=EVIDENCE,
        ),
        parity=Parity(True, 1e-6, 1e-3, 1.0),
        probes=ProbeReport("dead leaves", 1024, 256, histogram, "cd" * 32, RECOGNISED),
        seconds={"import": 0.5, "inversion": 20.0},
        versions=VERSIONS,
        calibration="0123456789ab",
        threshold=21.5,
        operator_sets={"ai.onnx": 17},
        configuration={"data": None, "search": {"rounds": [{"steps": 120, "searches": 1, "batch": 8}]}},
        examples=tuple(
            StampedProbe(shown, before, shown, rng.random((channels, SIDE, SIDE)).astype(np.float32))
            for before in range(labels)
            if before != shown
        )[:6],
        finished=FINISHED,
    )  # fmt: skip


def moving_all(result: ScanResult) -> ScanResult:
    """A result with one patch that moves every label to the next."""
    trigger = result.labels[0].trigger
    silent = Evidence("graph", ("branch",), passes=64, seconds=0.1)
    found = Evidence(
        "all-to-all", ("all-to-all",), "2.8 of 256 pixels move all: 0 to 1, <1> to 2", (1, 2), 0.002,
        statistics={"norm": 2.8, "odd": float("nan")}, passes=13_000, seconds=4.0, trigger=trigger,
    )  # fmt: skip
    return dataclasses.replace(
        result, verdict="backdoored", target_labels=(1, 2), reasons=(found.reason,), evidence=(silent, found)
    )


def make_outcomes() -> dict[str, Outcome]:
    """One outcome of each kind."""
    clean, backdoored = make_result(target=None), make_result()
    branch = Finding("image-switch", "warning", "a comparison <decides> which answer to give", "Where_7 (black)")
    diverged = "the imported model does not compute what onnxruntime computes"
    return {
        "backdoored": backdoored,
        "clean": clean,
        "inconclusive": dataclasses.replace(
            clean, verdict="inconclusive", reasons=("fewer than usual, but no proof",), confidence=None
        ),
        "diverged": dataclasses.replace(
            clean,
            verdict="inconclusive",
            labels=(),
            examples=(),
            reasons=(diverged,),
            confidence=None,
            threshold=None,
            parity=Parity(False, float("inf"), 1e-3, 0.5, "Conv conv1 (out)"),
            not_run={"trigger search": diverged},
        ),
        "failed": FailedScan("failed", ("model.onnx: no such file",), "model.onnx", None, VERSIONS, FINISHED),
        "not applicable": FailedScan(
            "not_applicable", ("no image classifier: it needs exactly one image input",), "text.onnx", "ef" * 32,
            VERSIONS, FINISHED,
        ),
        "branch": dataclasses.replace(
            clean, verdict="inconclusive", reasons=(branch.message,), confidence=None,
            findings=(branch, Finding("nan-weights", "note", "weights are not numbers (NaN)", "w|1")),
            converter="Keras 3.15.1 on torch 2.13.0, outputs differ by at most 3e-08",
        ),
        "uncertain": dataclasses.replace(
            backdoored,
            contract=dataclasses.replace(
                backdoored.contract, label_names=("a|b", "<b>", "c\nd", "@cat", *("x" * 99 for _ in range(6))),
                uncertain=("value range",),
            ),
            tried=(
                TriedContract("NCHW", "0..1", "backdoored", 3, 8.5, "logits"),
                TriedContract("NCHW", "0..255", "clean", None, None, "logits"),
            ),
            warnings=("the value range is not certain: <assumed>",),
        ),
        "gray, two labels": make_result(labels=2, target=1, channels=1),
    }  # fmt: skip


@pytest.fixture(params=make_outcomes())
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """Each kind of outcome in turn."""
    return make_outcomes()[request.param]


@pytest.fixture
def backdoored() -> ScanResult:
    """Ten labels, a backdoor to label 3."""
    return make_result()
