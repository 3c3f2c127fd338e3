"""A scan within a time: what it plans, leaves out and says, on a tiny model whose pace is made up."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nc_scan
from nc_scan import time_limit, under_contract
from nc_scan.detectors.paper import PAPER
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.detectors.patch.smallest import foreseen_passes
from nc_scan.results import ScanResult
from nc_scan.time_limit import TimeLimit

LABELS, SIDE = 10, 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten labels by the mean colours of 8x8 images."""
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(0, 4, (3, LABELS)).astype(np.float32), "w")
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", LABELS])
    graph = helper.make_graph(nodes, "g", [image], [scores], [weights])
    path = tmp_path_factory.mktemp("ten") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def scanned(model: Path, monkeypatch: pytest.MonkeyPatch, rate: float) -> tuple[ScanResult, set[str]]:
    """Within 100 s at a made-up rate, and the stages that it told of."""
    monkeypatch.setattr(under_contract, "passes_a_second", lambda subject: rate)
    stages: set[str] = set()
    tell = lambda stage, done, total: stages.add(stage)  # noqa: E731
    result = nc_scan.scan(model, value_range="0..1", detectors=["patch"], budget=100, progress=tell)
    return result, stages


def test_what_there_is_no_time_for_is_inconclusive_and_says_so(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = scanned(model, monkeypatch, 10.0)
    assert (result.verdict, result.labels) == ("inconclusive", ())
    assert "there is time for" in result.not_run["patch"]
    assert result.reasons[0] == result.not_run["patch"]


def test_in_little_time_some_labels_are_searched_and_nothing_is_called_clean(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, stages = scanned(model, monkeypatch, 190.0)
    (evidence,) = result.evidence
    assert 0 < len(result.labels) < LABELS
    assert evidence.gave_up.startswith("time was short")
    assert result.verdict != "clean"
    assert any(re.search(r"about [89]\d s", stage) for stage in stages)


def test_in_time_enough_nothing_changes(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = scanned(model, monkeypatch, 1e6)
    assert len(result.labels) == LABELS
    assert result.evidence[0].gave_up == ""
    assert result.configuration["budget"] == 100


def test_a_search_that_takes_longer_than_planned_is_stopped(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_contract, "SEARCHING", 1e-6)
    result, _ = scanned(model, monkeypatch, 1e12)
    assert result.verdict == "inconclusive"
    assert result.not_run["patch"].startswith("the time was over after")


PASSES = partial(foreseen_passes, labels=43, size=(3, 32, 32))


@pytest.mark.parametrize(("share", "thorough"), [(1.0, True), (0.99, False), (0.2, False), (0.05, None)])
def test_the_most_thorough_settings_that_fit(share: float, thorough: bool | None) -> None:
    most = int(share * PASSES(ADAPTIVE))
    planned = ADAPTIVE.affordable(43, PASSES, most)
    if thorough is None:
        assert planned is None
        return
    assert planned is not None
    assert (planned is ADAPTIVE) == thorough
    assert PASSES(planned) <= most


def test_the_papers_search_is_done_in_full_or_not_at_all() -> None:
    assert PAPER.affordable(43, PASSES, PASSES(PAPER)) is PAPER
    assert PAPER.affordable(43, PASSES, PASSES(PAPER) - 1) is None


def test_limits_are_parts_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time_limit.time, "monotonic", lambda: now[0])
    whole = TimeLimit.of(60)
    assert whole.share(0.5).left == 30
    now[0] = 20.0
    assert (whole.left, whole.share(0.5).ends) == (40, 40)
    now[0] = 61.0
    assert whole.left == 0
