"""A new detector is one file and one line: in the registry, or in another distribution's entry points."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.scanner.detectors.toy import Toy

import nc_scan
from nc_scan import detectors
from nc_scan.detectors import DETECTORS, EFFORTS, PAPER, make, names_of
from nc_scan.errors import DetectorError
from nc_scan.reports.as_json import from_json, to_json

ENTRY = EntryPoint("toy", "tests.scanner.detectors.toy:Toy", detectors.ENTRY_POINTS)
BROKEN = EntryPoint("broken", "tests.scanner.detectors.toy:Missing", detectors.ENTRY_POINTS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labels by whether the mean of an 8x8 grey image is above one half."""
    weights = numpy_helper.from_array(np.array([[40.0, -40.0]], np.float32), "w")
    bias = numpy_helper.from_array(np.array([-20.0, 20.0], np.float32), "b")
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])
    graph = helper.make_graph(nodes, "g", [image], [scores], [weights, bias])
    path = tmp_path_factory.mktemp("two") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(params=["registry", "entry point"])
def _registered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "registry":
        monkeypatch.setitem(DETECTORS, "toy", Toy)
    else:
        monkeypatch.setattr(detectors, "entry_points", lambda group: [ENTRY] if group == ENTRY.group else [])


@pytest.mark.usefixtures("_registered")
def test_a_toy_detector_decides_and_is_reported(model: Path) -> None:
    result = nc_scan.scan(model, detectors=["toy"], value_range="0..1", seed=5)
    assert (result.verdict, result.target_labels, result.reasons) == ("backdoored", (1,), ("label 1 it is",))
    (evidence,) = result.evidence
    assert (evidence.covers, evidence.passes) == (("toys",), 2)
    assert evidence.statistics == {"held out": float(result.probes.held_out), "seed": 5.0}
    assert result.labels == ()
    assert from_json(to_json(result)) == result
    assert json.loads(to_json(result))["evidence"][0]["detector"] == "toy"


def test_the_example_in_the_documents_runs(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "detectors.md").read_text("utf-8")
    written: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], written)
    monkeypatch.setitem(DETECTORS, "brightness", written["Brightness"])
    result = nc_scan.scan(model, detectors=["brightness"], value_range="0..1")
    assert result.verdict == "clean"
    assert result.evidence[0].statistics == {"label": 0.0}


def test_every_effort_names_known_detectors_and_more_effort_no_fewer() -> None:
    for name in {name for names in (*EFFORTS.values(), PAPER) for name in names}:
        assert make(name).name == name
    quick, standard, deep = (set(names_of("calibrated", effort)) for effort in ("quick", "standard", "deep"))
    assert quick <= standard <= deep
    assert names_of("paper", "deep") == PAPER


@pytest.mark.parametrize(("method", "effort"), [("magic", "deep"), ("calibrated", "little")])
def test_an_unknown_method_or_effort_is_refused(method: Any, effort: Any) -> None:
    with pytest.raises(ValueError, match="unknown"):
        names_of(method, effort)


@pytest.mark.parametrize(("name", "words"), [("magic", "graph, patch"), ("broken", "cannot be loaded")])
def test_what_is_unknown_or_broken_is_one_line(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors, "entry_points", lambda group: [BROKEN])
    with pytest.raises(DetectorError, match=words) as raised:
        make(name)
    assert "\n" not in str(raised.value)
