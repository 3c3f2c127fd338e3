"""A small network, and what is built into its graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.helper import make_graph, make_node, make_tensor_value_info

LABELS, SIDE, CORNER, TARGET = 6, 12, 3, 4
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Surgery:
    """A small network, `features` (N, 16), `logits` (N, 6) of `image` (N, 3, 12, 12), and nodes around it.

    It is symmetrical about mid grey, so that random images get all labels.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[TensorProto] = []
        self._rng = np.random.default_rng(0)
        self.functions: list[onnx.FunctionProto] = []

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """The name of a new constant."""
        name = f"constant {len(self._tensors)}"
        self._tensors.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def integers(self, *values: int) -> str:
        """The name of a new vector of integers."""
        return self.constant(values, np.int64)

    def learnt(self, *shape: int) -> str:
        """The name of new random weights."""
        return self.constant(self._rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape))

    def __call__(self, operator: str, *inputs: str | float, **attributes: Any) -> str:
        """A node behind the others; its first output."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = f"{operator} {len(self._nodes)}"
        self._nodes.append(make_node(operator, names, [output], name=f"node {len(self._nodes)}", **attributes))
        return output

    def features(self, image: str = "image") -> str:
        """(N, 16)."""
        x = self("Tanh", self("Conv", self("Sub", image, 0.5), self.learnt(16, 3, 3, 3), strides=[2, 2]))
        x = self("Tanh", self("Conv", x, self.learnt(16, 16, 3, 3)))
        return self("Flatten", self("GlobalAveragePool", x))

    def logits(self, features: str) -> str:
        """(N, 6)."""
        return self("Mul", self("MatMul", features, self.learnt(16, LABELS)), 30.0)

    def corner(self, image: str = "image") -> str:
        """The pixels of the trigger's place, (N, 27)."""
        ends = [self.integers(*place) for place in ((SIDE - CORNER,) * 2, (SIDE,) * 2, (2, 3))]
        return self("Reshape", self("Slice", image, *ends), self.integers(-1, 3 * CORNER**2))

    def darkness(self, image: str = "image") -> str:
        """(N, 1), near 0 where the corner is black."""
        return self("ReduceMean", self.corner(image), self.integers(1), keepdims=1)

    def target(self, size: float = 1000.0) -> str:
        """(1, 6), which sends everything to the target."""
        return self.constant(size * np.eye(LABELS)[TARGET : TARGET + 1])

    def model(self, output: str) -> ModelProto:
        """The model whose answer is the value `output`."""
        self._nodes.append(make_node("Identity", [output], ["scores"]))
        image = make_tensor_value_info("image", FLOAT, ["batch", 3, SIDE, SIDE])
        scores = make_tensor_value_info("scores", FLOAT, ["batch", LABELS])
        graph = make_graph(self._nodes, "g", [image], [scores], self._tensors)
        opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid("local", 1) for _ in self.functions[:1])]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=self.functions)
        onnx.checker.check_model(model)
        return model


def untyped(name: str) -> onnx.ValueInfoProto:
    """A floating-point value of any shape."""
    return make_tensor_value_info(name, FLOAT, None)


def round_of(nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
    """The body of a loop with `round`, `going` and `carried`, and what the nodes make of the last two."""
    inputs = [make_tensor_value_info("round", INT64, []), make_tensor_value_info("going", BOOL, []),
              make_tensor_value_info("carried", FLOAT, None)]  # fmt: skip
    outputs = [make_tensor_value_info("go on", BOOL, []), make_tensor_value_info("carried on", FLOAT, None)]
    return make_graph(nodes, "body", inputs, outputs)


Build = Callable[[Surgery], str]
