"""Can a graph tell how it is asked? What it could look at decides how the search has to ask it.

No finding: rounding belongs to many an embedded preprocessing. But a search that asks as in use cannot be hidden from,
even by what changes nothing on ordinary images.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from nc_scan.audit.flow import FEW, Flow
from nc_scan.graph.order import needs
from nc_scan.graph.runtime import Array, Runtime
from nc_scan.graph.walk import SHAPES

# Inputs that tell the form of a result: everything but the first.
FORMS = {"Reshape", "Expand", "Tile", "Resize", "Upsample", "Slice", "Pad", "Unsqueeze", "Squeeze",
         "Split", "CenterCropPad", "Col2Im", "AffineGrid"}  # fmt: skip
CHOOSING = {"Gather", "GatherElements", "GatherND", "Slice", "Split", "Compress"}  # of a shape's numbers


def can_tell_depth(flow: Flow) -> bool:
    """Whether the graph makes a step of next to nothing but the image: it could look at the last bits of pixels."""
    return any(
        flow.begins_step(node) and flow.learnt[node.output[0]] <= FEW and not flow.guards(node.output[0])
        for node in flow.nodes
        if flow.image_inputs(node) and node.output[0] in flow.stepped
    )


def can_tell_batch(flow: Flow, images: Array) -> bool:
    """Whether a number that meets the image depends on how many images (N, ...), N >= 2, the model is asked for.

    Raises UnsupportedModelError where onnxruntime cannot run the model.
    """
    of_shape = _of_shape(flow)
    if not of_shape:
        return False
    names = sorted({name for node in of_shape for name in node.output if name})
    run = Runtime(flow.model, outputs=names, optimized=False)
    if run.fixed_batch:
        return False
    asked = [[np.asarray(value) for value in run(images[:count])] for count in range(1, min(3, len(images)) + 1)]
    varying = {
        name for others in asked[1:] for name, *pair in zip(names, asked[0], others, strict=True) if _vary(*pair)
    }
    for node in of_shape:  # what comes of such a number, though it may rest so far: N > 40
        if node.op_type not in SHAPES | CHOOSING and not varying.isdisjoint(_as_numbers(node)):
            varying.update(filter(None, node.output))
    met = {name for node in flow.nodes if flow.image_inputs(node) for name in _as_numbers(node)}
    return not varying.isdisjoint(met)


def _of_shape(flow: Flow) -> list[NodeProto]:
    """Nodes that compute with nothing but the shape of what the image becomes."""
    names: set[str] = set()
    found = []
    for node in flow.nodes:
        begins = node.op_type in SHAPES and node.input[0] in flow.from_image
        if begins or (not flow.image_inputs(node) and not names.isdisjoint(needs(node))):
            found.append(node)
            names.update(filter(None, node.output))
    return found


def _as_numbers(node: NodeProto) -> list[str]:
    if node.op_type == "ConstantOfShape":
        return []
    return list(node.input[:1]) if node.op_type in FORMS else needs(node)


def _vary(one: Array, other: Array) -> bool:
    return one.shape == other.shape and not np.array_equal(one, other)
