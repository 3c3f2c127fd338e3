"""What a few bytes can ask for, weighed before any work: nodes after inlining, rounds of loops, sizes of values."""

from __future__ import annotations

import math
from collections.abc import Iterable

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.order import subgraphs

MOST_NODES = 200_000
MOST_ROUNDS = 1_000_000
MOST_VALUE_BYTES = 4 << 30
MOST_IMAGE_VALUES = 1 << 26  # channels x height x width, four times 4096 x 4096
MOST_BATCH = 4096
MOST_DEPTH = 100  # functions that call functions, bodies in bodies
INFERENCE_BYTES = 1 << 28  # larger models have weights, not tricks, and shape inference copies them
LIGHT = 1 << 16  # bytes of a tensor that shape inference may need


def check_bounds(model: ModelProto) -> None:
    """Raises UnsupportedModelError where running the model would take more than any classifier needs."""
    _check_input(model.graph)
    nodes = count_nodes(model)
    if nodes > MOST_NODES:
        raise UnsupportedModelError(
            f"the model has {nodes} nodes once its functions are unfolded, at most {MOST_NODES}"
        )
    _check_rounds(model.graph, {}, 0)
    _check_values(model)


def count_nodes(model: ModelProto) -> int:
    """How many nodes there are when every function is replaced by its body.

    Raises UnsupportedModelError for functions that call themselves.
    """
    functions = {(function.domain, function.name): function for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size_of(nodes: Iterable[NodeProto], within: tuple[tuple[str, str], ...]) -> int:
        if len(within) > MOST_DEPTH:
            raise UnsupportedModelError(f"functions and bodies stand in each other {MOST_DEPTH} deep")
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in within and key in functions:
                raise UnsupportedModelError(f"the model's functions cannot be inlined: {node.op_type} calls itself")
            if key in functions and key not in sizes:
                sizes[key] = size_of(functions[key].node, (*within, key))
            total += sizes[key] if key in functions else 1
            total += sum(size_of(body.node, (*within, ("", ""))) for body in subgraphs(node))
        return total

    return size_of(model.graph.node, ())


def _check_input(graph: GraphProto) -> None:
    weights = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name in weights:
            continue
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if sizes and sizes[0] > MOST_BATCH and len(sizes) > 1:
            raise UnsupportedModelError(f"the input '{value.name}' takes batches of {sizes[0]}, at most {MOST_BATCH}")
        values = math.prod(size for size in sizes[1:] if size > 0)
        if values > MOST_IMAGE_VALUES:
            raise UnsupportedModelError(f"the input '{value.name}' takes {values} values, at most {MOST_IMAGE_VALUES}")


def _check_rounds(graph: GraphProto, outer: dict[str, TensorProto], depth: int) -> None:
    if depth > MOST_DEPTH:
        raise UnsupportedModelError(f"bodies stand in each other {MOST_DEPTH} deep")
    known = outer | {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            known.update({name: a.t for a in node.attribute if a.name == "value" for name in node.output})
        elif node.op_type == "Loop" and node.input and node.input[0] in known:
            rounds = _number(known[node.input[0]])
            if rounds > MOST_ROUNDS:
                raise UnsupportedModelError(
                    f"a loop runs {rounds} times ({node.name or 'Loop'}), at most {MOST_ROUNDS}"
                )
        for body in subgraphs(node):
            _check_rounds(body, known, depth + 1)


def _number(tensor: TensorProto) -> int:
    if math.prod(tensor.dims) != 1 or tensor.data_location == TensorProto.EXTERNAL:
        return 0
    try:
        return int(numpy_helper.to_array(tensor).reshape(-1)[0])
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0


def _check_values(model: ModelProto) -> None:
    """Sizes that shape inference finds by following constants: a few bytes ask for gigabytes."""
    light = _without_weights(model)
    if light.ByteSize() > INFERENCE_BYTES:
        return
    try:
        inferred = onnx.shape_inference.infer_shapes(light, data_prop=True)
    except Exception:  # a model that inference cannot follow is none that it can weigh
        return
    for value in inferred.graph.value_info:
        tensor = value.type.tensor_type
        if not tensor.HasField("shape") or not tensor.shape.dim:
            continue
        sizes = [dim.dim_value if dim.HasField("dim_value") else 1 for dim in tensor.shape.dim]
        size = math.prod(max(1, size) for size in sizes) * _width(tensor.elem_type)
        if size > MOST_VALUE_BYTES:
            raise UnsupportedModelError(f"the value '{value.name}' takes {size} bytes, at most {MOST_VALUE_BYTES}")


def _without_weights(model: ModelProto) -> ModelProto:
    """A copy without the bytes of large tensors, whose shapes are enough."""
    light = ModelProto()
    graph = light.graph
    light.ir_version = model.ir_version
    light.opset_import.extend(model.opset_import)
    light.functions.extend(model.functions)
    graph.name = model.graph.name or "g"
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    named = {value.name for value in model.graph.input}
    graph.input.extend(model.graph.input)
    for tensor in model.graph.initializer:
        if tensor.ByteSize() <= LIGHT:
            graph.initializer.append(tensor)
        elif tensor.name not in named:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return light


def _width(element: int) -> int:
    try:
        return int(onnx.helper.tensor_dtype_to_np_dtype(element).itemsize)
    except (KeyError, TypeError):
        return 1
