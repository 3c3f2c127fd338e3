"""Small constants of a graph, folded: numbers that preprocessing is written with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, numpy_helper

from nc_scan.graph.walk import MOVES

UNCHANGED = MOVES - {"Flatten"} | {"Cast"}  # preprocessing does not flatten
LARGEST = 256  # values: one a channel of the largest image

Vector = NDArray[np.float64]

FOLDED: dict[str, Callable[..., Vector]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Sqrt": np.sqrt,
    "Abs": np.abs,
    "Concat": lambda *parts: np.concatenate(parts),
}


def small_constants(graph: GraphProto) -> dict[str, Vector]:
    """Constants of at most `LARGEST` numbers, flat, float64: stored ones, and what nodes compute from such alone.

    How they lie along the axes is not told; for one number, or one a channel, that is no loss.
    """
    read = {value.name for value in graph.input}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    known = {name: value for name, tensor in stored.items() if (value := _flat(tensor)) is not None}
    for node in graph.node:  # in topological order, as the specification asks for
        value = _stored_in(node) if node.op_type == "Constant" else _folded(node, known)
        if value is not None and node.output[0] not in read:
            known[node.output[0]] = value
    return known


def _flat(tensor: TensorProto) -> Vector | None:
    numeric = tensor.data_type not in (TensorProto.STRING, TensorProto.UNDEFINED)
    if tensor.external_data or not numeric or not 0 < int(np.prod(tensor.dims)) <= LARGEST:
        return None
    try:
        return np.asarray(numpy_helper.to_array(tensor), np.float64).reshape(-1)
    except (ValueError, TypeError):  # complex numbers, damaged data
        return None


def _stored_in(node: NodeProto) -> Vector | None:
    for attribute in node.attribute:
        if attribute.name == "value":
            return _flat(attribute.t)
        if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
            numbers = attribute.floats or attribute.ints or [attribute.f or attribute.i]
            return np.asarray(numbers, np.float64) if len(numbers) <= LARGEST else None
    return None


def _folded(node: NodeProto, known: dict[str, Vector]) -> Vector | None:
    """What a node computes from known constants; None where it reads anything else, or they do not fit."""
    if node.op_type in UNCHANGED:
        return known.get(node.input[0]) if node.input else None
    operands = [known[name] for name in node.input if name in known]
    if node.op_type not in FOLDED or not operands or len(operands) < len(node.input):
        return None
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(FOLDED[node.op_type](*operands), np.float64)
    except (ValueError, TypeError):
        return None
    return value if value.size <= LARGEST and np.isfinite(value).all() else None
