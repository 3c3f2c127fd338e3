"""What the first nodes behind an input say about the images: how many channels, and how large."""

from __future__ import annotations

from onnx import GraphProto

from nc_scan.contract.constants import UNCHANGED, small_constants
from nc_scan.graph.walk import SHAPES

ARITHMETIC = ("Mul", "Div", "Add", "Sub")
USUAL_CHANNELS = (1, 3, 4)


def channels_of_first_convolution(graph: GraphProto, name: str) -> int | None:
    """How many channels the first convolution behind the value `name` reads; None where its weights do not tell."""
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    reached = {name}
    for node in graph.node:  # in topological order, as the specification asks for
        if node.input and node.input[0] in reached:
            if node.op_type == "Conv" and node.input[1] in weights:
                groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
                return int(weights[node.input[1]][1] * groups)
            reached.update(node.output)
    return None


def size_of_resize(graph: GraphProto, name: str) -> tuple[int, int] | None:
    """Height and width to which the graph brings every image that comes in as `name`, before it does anything else.

    None where there is no such Resize, or it does not state the size.
    """
    constants = small_constants(graph)
    reached = {name}
    for node in graph.node:
        read = [source for source in node.input if source in reached]
        if not read or node.op_type in SHAPES:
            continue
        if node.op_type == "Resize" and len(node.input) > 3 and node.input[3] in constants:
            return _height_and_width([int(size) for size in constants[node.input[3]]])
        if node.op_type not in (*UNCHANGED, *ARITHMETIC):
            return None
        reached.update(node.output)
    return None


def _height_and_width(sizes: list[int]) -> tuple[int, int] | None:
    """The two of the sizes, (N, C, H, W), (N, H, W, C), (C, H, W), (H, W, C) or (H, W), that are no channels."""
    if len(sizes) == 2:
        return sizes[0], sizes[1]
    inner = sizes[-3:]
    if len(inner) < 3:
        return None
    return (inner[1], inner[2]) if inner[0] in USUAL_CHANNELS else (inner[0], inner[1])
