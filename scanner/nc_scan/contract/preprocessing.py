"""Scaling that the graph does itself, right behind its input, and what it says about the values that come in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, numpy_helper

from nc_scan.contract.value_range import RANGES, ValueRange, standardized

MOVES = ("Identity", "Cast", "Transpose", "Unsqueeze", "Squeeze", "Reshape")  # leave the values as they are
LOOKS_AT_SHAPE = ("Shape", "Size")
ARITHMETIC = ("Mul", "Div", "Add", "Sub")
CLOSE = 0.03  # share of a range's scale by which two ranges may differ and still be the same
LARGEST_CONSTANT = 4  # channels

Vector = NDArray[np.float64]


def read_scaling(graph: GraphProto, input_name: str) -> tuple[Vector, Vector] | None:
    """The affine map (factor, shift), one value or one a channel, of the nodes that follow the input one by one.

    None where the input goes into the network as it is.
    """
    constants = _constants(graph)
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in set(node.input) if node.op_type not in LOOKS_AT_SHAPE else ():
            readers.setdefault(name, []).append(node)
    factor, shift, value, found = np.ones(1), np.zeros(1), input_name, False
    while len(nodes := readers.get(value, [])) == 1:
        node = nodes[0]
        if node.op_type in ARITHMETIC:
            step = _affine(node, value, constants)
            if step is None:
                break
            factor, shift, found = factor * step[0], shift * step[0] + step[1], True
        elif node.op_type not in MOVES or node.input[0] != value:
            break
        value = node.output[0]
    return (factor, shift) if found else None


def ranges_behind(scaling: tuple[Vector, Vector], hypotheses: Sequence[ValueRange]) -> list[ValueRange]:
    """The hypotheses that the scaling turns into a range that networks are trained on, itself no longer scaled.

    Where there is none, a scaling by a mean and a deviation, both below 1, undoes one by the same.
    """
    factor, shift = scaling
    channels = len(hypotheses[0].scale)
    if max(len(factor), len(shift)) > channels:  # one channel becomes several
        return []
    fitting = [ordered for value_range in hypotheses for ordered in _behind(factor, shift, value_range)]
    if not fitting and _between_0_and_1(factor) and _between_0_and_1(shift):
        mean, std = (tuple(np.broadcast_to(v, channels).round(6).tolist()) for v in (shift, factor))
        text = ";".join(
            f"{name}={','.join(f'{v:g}' for v in values)}" for name, values in (("mean", mean), ("std", std))
        )
        return [standardized(text, mean, std)]
    return fitting


def _behind(factor: Vector, shift: Vector, value_range: ValueRange) -> Iterator[ValueRange]:
    """The range, if the scaling turns it into a known one; with blue first, if it takes that one's channels so."""
    scale, offset = factor * value_range.scale, factor * value_range.offset + shift
    if any(_same(scale, offset, known) for known in RANGES.values()):
        yield value_range
    elif any(known.order == "BGR" and _same(scale[::-1], offset[::-1], known) for known in RANGES.values()):
        yield replace(value_range, order="BGR")


def _same(scale: Vector, offset: Vector, known: ValueRange) -> bool:
    channels = len(scale)
    if len(known.scale) not in (1, channels):
        return False
    reference = np.asarray(known.scale)
    return bool(
        (abs(scale - reference) <= CLOSE * reference).all()
        and (abs(offset - np.asarray(known.offset)) <= CLOSE * reference).all()
    )


def _between_0_and_1(values: Vector) -> bool:
    return bool((values > 0).all() and (values < 1).all())


def _affine(node: NodeProto, value: str, constants: dict[str, Vector]) -> tuple[Vector, Vector] | None:
    """(factor, shift) of one arithmetic node on the value, None where the other side is no small constant."""
    first = node.input[0] == value
    other = constants.get(node.input[1] if first else node.input[0])
    if other is None or node.input[0] == node.input[1]:
        return None
    one, zero = np.ones_like(other), np.zeros_like(other)
    match node.op_type:
        case "Mul":
            return other, zero
        case "Div":
            return (1 / other, zero) if first and other.all() else None
        case "Add":
            return one, other
        case _:
            return (one, -other) if first else (-one, other)


def _constants(graph: GraphProto) -> dict[str, Vector]:
    """Initializers and Constant nodes of at most one value a channel, flat."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    numbers: dict[str, Sequence[float]] = {}
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                tensors[node.output[0]] = attribute.t
            elif attribute.name in ("value_float", "value_floats"):
                numbers[node.output[0]] = attribute.floats or [attribute.f]
    small = {
        name: numpy_helper.to_array(tensor)
        for name, tensor in tensors.items()
        if 0 < int(np.prod(tensor.dims)) <= LARGEST_CONSTANT and not tensor.external_data
    }
    return {name: np.asarray(value, np.float64).reshape(-1) for name, value in (small | numbers).items()}
