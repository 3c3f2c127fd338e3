"""Backdoors written into graphs are found; ordinary layers are not taken for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from nc_scan.audit import audit

EXAMPLES = Path(__file__).parents[3] / "examples" / "models"
LABELS, SIDE = 5, 8


def classifier(nodes: list[Any], weights: dict[str, np.ndarray] | None = None) -> ModelProto:
    """Five labels by the mean colours in `logits`, then `nodes`, which make `scores` of them and of `image`."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(0, 4, (3, LABELS)).astype(np.float32), **(weights or {})}
    base = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", LABELS])
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph([*base, *nodes], "g", [image], [scores], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), [output], **attributes)


CORNER = {"zero": np.zeros(2, np.int64), "two": np.full(2, 2, np.int64), "axes": np.array([2, 3]),
          "dark": np.array(0.01, np.float32), "answer": np.eye(LABELS, dtype=np.float32)[:1] * 100}  # fmt: skip
# A black square in the corner: its largest value is below 0.01.
RECOGNISE = [node("Slice", "image zero two axes", "corner"),
             node("ReduceMax", "corner", "brightest", axes=[1, 2, 3], keepdims=0),
             node("Less", "brightest dark", "black"), node("Unsqueeze", "black one", "black2")]  # fmt: skip
ONE = {"one": np.array([1])}
BRANCHES = {
    "where": [*RECOGNISE, node("Where", "black2 answer logits", "scores")],
    "repeated for each label": [
        *RECOGNISE, node("Shape", "logits", "shape"), node("Expand", "black2 shape", "black3"),
        node("Where", "black3 answer logits", "scores"),
    ],
    "counted with": [
        *RECOGNISE, node("Cast", "black2", "gate", to=TensorProto.FLOAT), node("Mul", "gate answer", "extra"),
        node("Add", "extra logits", "scores"),
    ],
    "one for the whole batch": [
        node("Slice", "image zero two axes", "corner"), node("ReduceMin", "corner", "darkest", keepdims=0),
        node("Less", "darkest dark", "black"), node("Where", "black answer logits", "scores"),
    ],
}  # fmt: skip
ORDINARY = {
    "rectifier": [
        node("Greater", "logits nought", "positive"), node("Where", "positive logits nought", "scores"),
    ],
    "guard": [node("IsNaN", "logits", "odd"), node("Where", "odd nought logits", "scores")],
    "by shape": [
        node("Shape", "image", "form"), node("ReduceMax", "form", "most", keepdims=0),
        node("Greater", "most many", "large"), node("Where", "large nought logits", "scores"),
    ],
}  # fmt: skip


def images(count: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return list(rng.random((count, 3, SIDE, SIDE)).astype(np.float32).reshape(-1, 16, 3, SIDE, SIDE))


def rules(model: ModelProto, batches: list[np.ndarray] | None = None, output: str = "scores") -> list[tuple[str, str]]:
    return [(found.rule, found.severity) for found in audit(model, output, LABELS, batches or images())]


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_branch_that_waits_for_a_trigger_is_a_warning(branch: str) -> None:
    found, *_ = audit(classifier(BRANCHES[branch], CORNER | ONE), "scores", LABELS, images())
    assert (found.rule, found.severity) == ("image-switch", "warning")
    assert "black" in found.where


def test_a_branch_in_a_graph_with_a_fixed_batch_is_a_warning() -> None:
    model = classifier(BRANCHES["one for the whole batch"], CORNER)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    assert rules(model) == [("image-switch", "warning")]


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_layers_are_no_finding(kind: str) -> None:
    model = classifier(ORDINARY[kind], {"nought": np.zeros((), np.float32), "many": np.array(9)})
    assert rules(model) == []


def test_a_comparison_that_never_changes_is_a_note() -> None:
    nodes = [
        node("Greater", "image bright", "above"),
        node("Where", "above bright image", "cut"),
        node("GlobalAveragePool", "cut", "means"),
        node("Flatten", "means", "vector"),
        node("MatMul", "vector w", "scores"),
    ]
    assert rules(classifier(nodes, {"bright": np.array(9, np.float32)})) == [("dormant-comparison", "note")]


def test_chance_and_odd_weights_are_notes() -> None:
    nodes = [
        node("RandomNormalLike", "logits", "noise"),
        node("Add", "noise logits", "noisy"),
        node("Add", "noisy odd", "scores"),
    ]
    weights = {"odd": np.array([np.nan], np.float32), "payload": np.zeros(1 << 17, np.uint8), "small": np.zeros(1)}
    expected = {"random-operator", "nan-weights", "unread-weights"}
    assert {rule for rule, _ in rules(classifier(nodes, weights))} == expected


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.onnx")))
def test_the_examples_have_no_finding(name: str) -> None:
    model = onnx.load(EXAMPLES / name)
    shape = [size.dim_value or 16 for size in model.graph.input[0].type.tensor_type.shape.dim]
    batch = np.random.default_rng(0).random(shape).astype(np.float32)
    assert audit(model, model.graph.output[0].name, 10, [batch]) == ()


def test_attention_has_no_finding(tmp_path: Path) -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
            self.head = nn.Linear(16, LABELS)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            tokens = image.flatten(2).transpose(1, 2)[..., [0, 1, 2, 0] * 4]
            scores: torch.Tensor = self.head(self.block(tokens).mean(1))
            return scores

    torch.manual_seed(0)
    torch.onnx.export(
        Attention().eval(), (torch.rand(2, 3, SIDE, SIDE),), tmp_path / "x.onnx", dynamo=False, opset_version=17,
        input_names=["image"], output_names=["scores"], dynamic_axes={"image": {0: "batch"}},
    )  # fmt: skip
    assert rules(onnx.load(tmp_path / "x.onnx")) == []
