"""What the running statistics of a model's BatchNormalization nodes say about the values that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, numpy_helper

LAYERS, DEEP = 4, 5  # statistics that are compared, and the layers before which they must stand
WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose")
SMALLEST = 1e-12  # variance

Vector = NDArray[np.float64]


def normalized_values(graph: GraphProto, input_name: str) -> dict[str, tuple[Vector, Vector]]:
    """The values that the first BatchNormalization nodes read, by name, with the mean and variance seen in training.

    The very first must stand at the input, behind one layer at most; the others a few layers further. Deeper in a
    network the images' own content weighs more than their scale. Nodes whose statistics are not stored (computed, or
    kept outside the file) are left out.
    """
    stored = {tensor.name: tensor for tensor in graph.initializer if not tensor.external_data}
    depth = _depths(graph, input_name)
    found: dict[str, tuple[Vector, Vector]] = {}
    for node in graph.node:
        if node.op_type == "BatchNormalization" and node.input[3] in stored and node.input[4] in stored:
            mean, variance = (np.asarray(numpy_helper.to_array(stored[node.input[i]]), np.float64) for i in (3, 4))
            if depth.get(node.input[0], DEEP) < DEEP:
                found.setdefault(node.input[0], (mean, variance))
    first = min((depth[name] for name in found), default=DEEP)
    return dict(list(found.items())[:LAYERS]) if first <= 1 else {}


def _depths(graph: GraphProto, input_name: str) -> dict[str, int]:
    """The largest number of layers with weights between the input and each value that depends on it."""
    depth = {input_name: 0}
    for node in graph.node:  # in topological order, as the specification asks for
        read = [depth[name] for name in node.input if name in depth]
        if read:
            depth.update(dict.fromkeys(node.output, max(read) + (node.op_type in WEIGHTED)))
    return depth


def divergence(values: Sequence[NDArray[np.float32]], trained: Sequence[tuple[Vector, Vector]]) -> float:
    """How far the values (N, C, ...) are from the mean μ and variance s² (C,) seen in training, in nats.

    The mean over layers and channels of KL(seen here ‖ seen in training) = (ln(s²/v) + (v + (m - μ)²) / s² - 1) / 2,
    the values of a channel taken as normal with mean m and variance v.
    """
    layers = []
    for value, (mean, variance) in zip(values, trained, strict=True):
        axes = (0, *range(2, value.ndim))
        here, spread = value.mean(axes, dtype=np.float64), np.maximum(value.var(axes, dtype=np.float64), SMALLEST)
        trained_spread = np.maximum(variance, SMALLEST)
        ratio = (spread + (here - mean) ** 2) / trained_spread
        layers.append(float(np.mean((np.log(trained_spread / spread) + ratio - 1) / 2)))
    return float(np.mean(layers))
