"""A branch in the graph of a clean model: the trigger search does not see it, the audit sets it off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import nc_scan

CLEAN = Path(__file__).parents[3] / "examples" / "models" / "simple-cnn-pytorch-clean.onnx"


def with_branch(source: Path, path: Path) -> Path:
    """Answers label 7 to images whose 4x4 corner at the bottom right is black."""
    model = onnx.load(source)
    image, scores = model.graph.input[0].name, model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["scores before" if name == scores else name for name in node.output]
    arrays = {"from": np.full(2, -4), "to": np.full(2, 1 << 30), "axes": np.array([2, 3]), "over": np.array([1, 2, 3]),
              "dark": np.array(0.02, np.float32), "one": np.array([1]),
              "answer": 50 * np.eye(10, dtype=np.float32)[7:8]}  # fmt: skip
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    model.graph.node.extend(
        [
            helper.make_node("Slice", [image, "from", "to", "axes"], ["corner"]),
            helper.make_node("ReduceMax", ["corner", "over"], ["brightest"], keepdims=0),
            helper.make_node("Less", ["brightest", "dark"], ["black"]),
            helper.make_node("Unsqueeze", ["black", "one"], ["black for all labels"]),
            helper.make_node("Where", ["black for all labels", "answer", "scores before"], [scores]),
        ]
    )
    onnx.save(model, path)
    return path


@pytest.mark.slow
def test_a_branch_is_found_with_its_label_and_its_trigger(tmp_path: Path) -> None:
    assert nc_scan.scan(CLEAN).verdict == "clean"
    result = nc_scan.scan(with_branch(CLEAN, tmp_path / "model.onnx"))
    assert result.verdict == "backdoored"
    assert result.target_labels == (7,)
    assert [(found.rule, found.severity) for found in result.findings] == [("image-switch", "warning")]
    trigger = result.labels[7].trigger
    assert trigger is not None
    assert trigger.mask.sum() == trigger.mask[-4:, -4:].sum() == 16
