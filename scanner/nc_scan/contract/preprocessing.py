"""Scaling that the graph does itself, right behind its input, and what it says about the values that come in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from onnx import GraphProto, NodeProto

from nc_scan.contract.constants import UNCHANGED, Vector, small_constants
from nc_scan.contract.value_range import RANGES, ValueRange, standardized
from nc_scan.graph.walk import SHAPES

KEEPS_RANGE = (*UNCHANGED, "Resize", "Upsample")
ARITHMETIC = ("Mul", "Div", "Add", "Sub")
NETWORK = (  # what preprocessing ends at: layers, and what brings values into their form
    *("Conv", "Gemm", "MatMul", "BatchNormalization", "Pad", "Flatten", "MaxPool", "AveragePool", "FusedConv"),
    *("QuantizeLinear", "ConvInteger", "QLinearConv", "ReorderInput", "SpaceToDepth", "Relu"),
)
CLOSE = 0.03  # share by which the scales and offsets of two ranges may differ and still be the same


def read_scaling(graph: GraphProto, input_name: str, channels: int) -> tuple[Vector, Vector] | None:
    """The affine map (factor, shift), one value or one a channel, of the nodes between the input and the first layer.

    None where there is none, and where anything in between is not understood: half a chain says nothing.
    """
    constants = {name: value for name, value in small_constants(graph).items() if len(value) in (1, channels)}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in set(node.input) if node.op_type not in SHAPES else ():
            readers.setdefault(name, []).append(node)
    factor, shift, value = np.ones(1), np.zeros(1), input_name
    while (nodes := readers.get(value, [])) and not all(node.op_type in NETWORK for node in nodes):
        node = nodes[0]
        if len(nodes) > 1:
            return None
        if node.op_type in ARITHMETIC:
            step = _affine(node, value, constants)
            if step is None:
                return None
            factor, shift = factor * step[0], shift * step[0] + step[1]
        elif node.op_type not in KEEPS_RANGE or node.input[0] != value:
            return None
        value = node.output[0]
    return None if _is_identity(factor, shift) else (factor, shift)


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
        return [standardized(mean, std)]
    return fitting


def _behind(factor: Vector, shift: Vector, value_range: ValueRange) -> Iterator[ValueRange]:
    """The range, if the scaling turns it into a known one; with blue first, if it takes that one's channels so."""
    scale, offset = factor * value_range.scale, factor * value_range.offset + shift
    if any(_same(scale, offset, shift, known) for known in RANGES.values()):
        yield value_range
    elif any(known.order == "BGR" and _same(scale[::-1], offset[::-1], shift, known) for known in RANGES.values()):
        yield replace(value_range, order="BGR")


def _same(scale: Vector, offset: Vector, shift: Vector, known: ValueRange) -> bool:
    """Whether a range is a known one.

    A shift by 0.5 is little beside 0..255 and yet not done for nothing: how close the offsets must be is measured by
    what the scaling itself adds.
    """
    channels = len(scale)
    if len(known.scale) not in (1, channels):
        return False
    reference = np.asarray(known.scale)
    near = CLOSE * np.where(shift == 0, reference, np.minimum(abs(shift), reference))
    return bool(
        (abs(scale - reference) <= CLOSE * reference).all() and (abs(offset - np.asarray(known.offset)) <= near).all()
    )


def _between_0_and_1(values: Vector) -> bool:
    return bool((values > 0).all() and (values < 1).all())


def _is_identity(factor: Vector, shift: Vector) -> bool:
    return bool((factor == 1).all() and (shift == 0).all())


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
