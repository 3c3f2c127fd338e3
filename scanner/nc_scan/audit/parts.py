"""Parts of a graph that a classifier has no need of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import TensorProto, numpy_helper

from nc_scan.audit.flow import Flow
from nc_scan.results import Finding

CHANCE = {"RandomUniform", "RandomUniformLike", "RandomNormal", "RandomNormalLike", "Bernoulli", "Multinomial"}
LEAST_UNREAD = 1 << 16  # bytes: exporters leave small constants behind
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}


def chance(flow: Flow) -> Iterator[Finding]:
    """Operators that draw random numbers: the answer to the same image varies."""
    for node in flow.nodes:
        if node.op_type in CHANCE:
            message = f"the answer depends on chance ({node.op_type})"
            yield Finding("random-operator", "note", message, node.name or node.output[0])


def unread_weights(flow: Flow) -> Iterator[Finding]:
    """Weights that no output depends on: leftovers, or something else that travels with the model."""
    unread = [tensor for tensor in flow.model.graph.initializer if tensor.name not in flow.read]
    size = sum(tensor.ByteSize() for tensor in unread)
    if size >= LEAST_UNREAD:
        names = ", ".join(tensor.name for tensor in unread[:3]) + (", ..." if len(unread) > 3 else "")
        yield Finding("unread-weights", "note", f"no output depends on {size} bytes of weights", names)


def odd_weights(flow: Flow) -> Iterator[Finding]:
    """Weights that are no numbers."""
    for tensor in flow.model.graph.initializer:
        if tensor.data_type in FLOATS and np.isnan(numpy_helper.to_array(tensor).astype(np.float32)).any():
            yield Finding("nan-weights", "note", "weights are not numbers (NaN)", tensor.name)
