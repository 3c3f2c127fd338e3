"""Small graphs whose contract is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

LABELS = 5
FLOAT = TensorProto.FLOAT


def model_of(
    nodes: Sequence[NodeProto],
    inputs: dict[str, Sequence[Any]],
    outputs: dict[str, Sequence[Any] | None],
    constants: dict[str, Any] | None = None,
    *,
    input_type: int = FLOAT,
    output_types: dict[str, int] | None = None,
    metadata: dict[str, str] | None = None,
) -> ModelProto:
    """A model of these nodes; shapes by name, None for an output of unknown shape."""
    types = output_types or {}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, input_type, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, types.get(name, FLOAT), shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    return model


def classifier(
    shape: Sequence[Any],
    *,
    tail: str | None = "Softmax",
    dtype: int = FLOAT,
    axis: int = -1,
    labels: int = LABELS,
    metadata: dict[str, str] | None = None,
) -> ModelProto:
    """The mean of the image times a weight a label, with `tail` after it."""
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    if tail:
        attributes = {} if tail == "Sigmoid" else {"axis": axis}
        nodes.append(helper.make_node(tail, ["logits"], ["out"], **attributes))
    return model_of(
        nodes,
        {"x": shape},
        {"out" if tail else "logits": [shape[0], labels]},
        {"weight": np.arange(1, labels + 1, dtype=np.float32)[None]},
        input_type=dtype,
        metadata=metadata,
    )
