"""A whole scan of a tiny model: its report fits the schema, and another scan with the same seed gives the same one."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nc_scan
from nc_scan.detectors import EFFORTS, PatchSearch
from nc_scan.errors import ModelFileError
from nc_scan.reports.arrays import to_npz
from nc_scan.reports.as_html import to_html
from nc_scan.reports.as_json import schema, to_json
from nc_scan.results import Evidence, ScanResult

TIMES = ("seconds", "finished")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four labels by the mean colors of 8x8 images, its weights in a file of their own."""
    rng = np.random.default_rng(0)
    weights = numpy_helper.from_array(rng.normal(0, 4, (3, 4)).astype(np.float32), "w")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 8, 8])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4])
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["scores"]),
    ]
    graph = helper.make_graph(nodes, "g", [image], [scores], [weights])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("tiny") / "model.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


@pytest.fixture(scope="module")
def result(model: Path, short_search: None) -> ScanResult:  # noqa: ARG001
    """One scan, for all tests here."""
    return nc_scan.scan(model, seed=3)


def without_times(result: ScanResult) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(to_json(result))
    for evidence in values["evidence"]:
        del evidence["seconds"]
    return {key: value for key, value in values.items() if key not in TIMES}


def test_a_real_report_fits_the_schema(result: ScanResult) -> None:
    jsonschema.Draft202012Validator(schema()).validate(json.loads(to_json(result)))
    assert result.operator_sets == {"ai.onnx": 17}
    assert list(result.external_data) == ["weights.bin"]
    assert result.configuration["patch"]["rounds"][0]["steps"] > 0
    assert result.finished.endswith("+00:00")
    assert len(result.labels) == 4
    assert [one.detector for one in result.evidence] == list(EFFORTS["standard"])
    assert all(one.not_run is None for one in result.evidence)
    assert [one.detector for one in result.evidence if one.passes] == ["graph", "patch"]  # the labels are too few
    assert "<!doctype html>" in to_html(result)


def test_the_examples_are_stamped_with_the_smallest_trigger(result: ScanResult) -> None:
    shown = result.target_labels or (min(result.labels, key=lambda label: label.norm).label,)
    assert {example.label for example in result.examples} <= set(shown)
    assert result.examples
    assert all(example.before != example.label for example in result.examples)
    assert all(example.image is not None and example.image.shape == (3, 8, 8) for example in result.examples)


def test_the_same_seed_gives_the_same_report_but_for_times(model: Path, result: ScanResult) -> None:
    again = nc_scan.scan(model, seed=3)
    assert without_times(again) == without_times(result)
    assert to_npz(again) == to_npz(result)


def test_a_file_that_changes_meanwhile_has_no_verdict(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in model.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "model.onnx"

    def change(*_: object) -> Evidence:
        path.write_bytes(path.read_bytes() + b"\x12\x00")
        return Evidence("patch", (), not_run="not searched")

    monkeypatch.setattr(PatchSearch, "run", change)
    with pytest.raises(ModelFileError, match="changed while it was being scanned"):
        nc_scan.scan(path)
