"""A graph without control flow, for the audit alone: what stands in bodies stands beside everything else.

A branch that the image decides becomes both branches and a `Where`; one that shapes or constants decide becomes the
branch that is taken. A loop or a scan is unrolled as often as it runs; a loop whose end the image decides UNROLLED
times, each round but a `Where` of what came before and what it makes of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper, numpy_helper

from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.inlining import inline_functions
from nc_scan.graph.order import needs, subgraphs
from nc_scan.graph.runtime import Array, Runtime
from nc_scan.graph.walk import SHAPES

UNROLLED = 4
MOST_NODES = 50_000
AXES_AS_INPUT = 13  # the version from which Unsqueeze reads them from an input
CONTROL = {"If", "Loop", "Scan"}


def flatten(model: ModelProto, image: Array) -> ModelProto:
    """The model with its functions inlined and its bodies in the main graph; the model itself where there are none.

    `image` is a batch of the model's input, with which conditions and counts that do not depend on it are worked out.
    Raises UnsupportedModelError for more than MOST_NODES nodes, or where onnxruntime cannot run the model.
    """
    model = inline_functions(model)
    while any(node.op_type in CONTROL for node in model.graph.node):
        model = _one_level(model, image)
    return model


def image_values(graph: GraphProto) -> set[str]:
    """The values that depend on what the image shows, the inputs among them."""
    reached = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in SHAPES and not reached.isdisjoint(needs(node)):
            reached.update(filter(None, node.output))
    return reached


def _one_level(model: ModelProto, image: Array) -> ModelProto:
    flat = ModelProto()
    flat.CopyFrom(model)
    graph = flat.graph
    fromimage = image_values(graph)
    asked = {name for node in graph.node if node.op_type in CONTROL for name in _deciding(node)} - fromimage - {""}
    known = _values(model, sorted(asked), image)
    lengths = _lengths(model, image)
    version = next((opset.version for opset in flat.opset_import if opset.domain in ("", "ai.onnx")), 1)
    writer = _Writer(graph, version)
    for node in list(graph.node):
        if node.op_type == "If":
            _if(writer, node, None if node.input[0] in fromimage else bool(known[node.input[0]].item()))
        elif node.op_type == "Loop":
            _loop(writer, node, known, fromimage)
        elif node.op_type == "Scan":
            _scan(writer, node, lengths.get(node.output[0], 1))
        else:
            writer.nodes.append(node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(writer.nodes)
    graph.initializer.extend(writer.constants)
    return flat


def _deciding(node: NodeProto) -> list[str]:
    return list(node.input[: {"If": 1, "Loop": 2, "Scan": 0}[node.op_type]])


def _values(model: ModelProto, names: list[str], image: Array) -> dict[str, Array]:
    """Values that do not depend on the image."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name in names}
    computed = [name for name in names if name not in found]
    if computed:
        results = Runtime(model, outputs=computed, optimized=False)(image)
        found.update(zip(computed, (np.asarray(value) for value in results), strict=True))
    return found


def _lengths(model: ModelProto, image: Array) -> dict[str, int]:
    """How often each Scan runs, by its first output."""
    scans = {node.output[0]: node for node in model.graph.node if node.op_type == "Scan"}
    if not scans:
        return {}
    last = [node.input[-1] for node in scans.values()]
    arrays = Runtime(model, outputs=last, optimized=False)(image)
    axes = [(_attribute(node, "scan_input_axes") or [0])[-1] for node in scans.values()]
    return {name: array.shape[axis] for name, array, axis in zip(scans, arrays, axes, strict=True)}


class _Writer:
    """The nodes and constants of the flat graph so far."""

    def __init__(self, graph: GraphProto, version: int) -> None:
        self.version = version
        self.nodes: list[NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._taken = set(_names(graph))

    def claim(self, nodes: int) -> None:
        """Raises UnsupportedModelError where so many nodes more are too many."""
        if len(self.nodes) + nodes > MOST_NODES:
            raise UnsupportedModelError(f"the graph has more than {MOST_NODES} nodes when its loops are unrolled")

    def fresh(self, name: str) -> str:
        """A name that nothing has yet."""
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name

    def constant(self, value: Any, name: str = "constant") -> str:
        """The name of a new constant."""
        name = self.fresh(name)
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """A node with the output of that name, or a fresh one like it."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{operator} of {output}", **attributes))
        return output

    def unsqueezed(self, name: str, axis: int) -> str:
        """A value with one axis more."""
        if self.version < AXES_AS_INPUT:
            return self.add("Unsqueeze", [name], self.fresh(name), axes=[axis])
        return self.add("Unsqueeze", [name, self.constant(np.array([axis]))], self.fresh(name))

    def body(self, body: GraphProto, inputs: list[str]) -> list[str]:
        """Writes a body with these values as its inputs; returns what its outputs are named here."""
        names = dict(zip((value.name for value in body.input), inputs, strict=False))
        for tensor in body.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            copy.name = names[tensor.name] = self.fresh(tensor.name)
            self.constants.append(copy)
        for node in body.node:
            names.update({name: self.fresh(name) for name in node.output if name})
            self.nodes.append(_renamed(node, names))
        return [names.get(value.name, value.name) for value in body.output]


def _if(writer: _Writer, node: NodeProto, taken: bool | None) -> None:
    bodies = {attribute.name: attribute.g for attribute in node.attribute}
    branches = {True: "then_branch", False: "else_branch"}
    if taken is not None:
        for inner, outer in zip(writer.body(bodies[branches[taken]], []), node.output, strict=True):
            writer.add("Identity", [inner], outer)
        return
    yes, no = (writer.body(bodies[name], []) for name in branches.values())
    for when, otherwise, outer in zip(yes, no, node.output, strict=True):
        writer.add("Where", [node.input[0], when, otherwise], outer)


def _loop(writer: _Writer, node: NodeProto, known: Mapping[str, Array], from_image: set[str]) -> None:
    body = node.attribute[0].g
    trips, first = node.input[0], node.input[1]
    inputs = [value.name for value in body.input]
    carried, going = list(node.input[2:]), first if first in from_image else ""
    collected: list[list[str]] = []
    for trip in range(_rounds(writer, node, body, known)):
        if trips in from_image:  # as often as the image says
            more = writer.add("Less", [writer.constant(np.int64(trip)), trips], writer.fresh(f"{trips} more"))
            going = writer.add("And", [going, more], writer.fresh(more)) if going else more
        condition = going or writer.constant(True)
        goes_on, *results = writer.body(body, [writer.constant(np.int64(trip)), condition, *carried][: len(inputs)])
        after = results[: len(carried)]
        if going:  # the image decides whether this round counts
            after = [
                writer.add("Where", [going, new, old], writer.fresh(new))
                for new, old in zip(after, carried, strict=True)
            ]
        carried = after
        collected.append(results[len(carried) :])
        if not _is_fixed(body, from_image):
            going = writer.add("And", [going, goes_on], writer.fresh(goes_on)) if going else goes_on
    outputs = list(node.output)
    for inner, outer in zip(carried, outputs, strict=False):
        if outer:
            writer.add("Identity", [inner], outer)
    _stack(writer, collected, outputs[len(carried) :], [0] * len(outputs))


def _rounds(writer: _Writer, node: NodeProto, body: GraphProto, known: Mapping[str, Array]) -> int:
    """How often a loop is unrolled. Raises UnsupportedModelError where that would be more than MOST_NODES."""
    trips, first = node.input[:2]
    if first in known and not bool(known[first].item()):
        return 0
    count = max(0, int(known[trips].item())) if trips in known else UNROLLED
    writer.claim(count * len(body.node))
    return count


def _is_fixed(body: GraphProto, from_image: set[str]) -> bool:
    """Whether a loop's body goes on as it was told, or as a constant says."""
    name = body.output[0].name
    made = {output: node for node in body.node for output in node.output}
    while name in made and made[name].op_type in {"Identity", "Cast"}:
        name = made[name].input[0]
    return name not in from_image if name not in made else made[name].op_type == "Constant"


def _scan(writer: _Writer, node: NodeProto, length: int) -> None:
    body, scanned = _attribute(node, "body"), _attribute(node, "num_scan_inputs")
    inputs = list(node.input)
    states, sequences = inputs[: len(inputs) - scanned], inputs[len(inputs) - scanned :]
    axes = _attribute(node, "scan_input_axes") or [0] * scanned
    backward = _attribute(node, "scan_input_directions") or [0] * scanned
    collected: list[list[str]] = []
    writer.claim(length * len(body.node))
    for trip in range(length):
        slices = []
        for name, axis, reverse in zip(sequences, axes, backward, strict=True):
            index = writer.constant(np.int64(-1 - trip if reverse else trip))
            slices.append(writer.add("Gather", [name, index], writer.fresh(f"{name} {trip}"), axis=axis))
        results = writer.body(body, [*states, *slices])
        states = results[: len(states)]
        collected.append(results[len(states) :])
    outputs = list(node.output)
    for inner, outer in zip(states, outputs, strict=False):
        if outer:
            writer.add("Identity", [inner], outer)
    _stack(writer, collected, outputs[len(states) :], _attribute(node, "scan_output_axes") or [0] * len(outputs))


def _stack(writer: _Writer, collected: list[list[str]], outputs: list[str], axes: list[int]) -> None:
    """What every round handed out, one after another."""
    for place, (outer, axis) in enumerate(zip(outputs, axes, strict=False)):
        if not outer:
            continue
        if not collected:
            writer.add("Identity", [writer.constant(np.zeros((0,), np.float32))], outer)
            continue
        parts = [writer.unsqueezed(results[place], axis) for results in collected]
        writer.add("Concat", parts, outer, axis=axis)


def _renamed(node: NodeProto, names: Mapping[str, str]) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    _rename(copy, names)
    return copy


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    """Gives values their new names, in the bodies of the node, too."""
    node.input[:] = [names.get(name, name) for name in node.input]
    node.output[:] = [names.get(name, name) for name in node.output]
    for body in subgraphs(node):
        for inner in body.node:
            _rename(inner, names)
        for value in body.output:
            value.name = names.get(value.name, value.name)


def _names(graph: GraphProto) -> Iterator[str]:
    """Every name in a graph and its bodies."""
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name
    for node in graph.node:
        yield from (*node.input, *node.output)
        for body in subgraphs(node):
            yield from _names(body)


def _attribute(node: NodeProto, name: str) -> Any:
    for attribute in node.attribute:
        if attribute.name == name:
            return attribute.g if attribute.type == AttributeProto.GRAPH else helper.get_attribute_value(attribute)
    return None
