"""Every value of a graph beside onnxruntime's: which node is the first to diverge, and is it to blame?"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto
from torch import Tensor, nn

from nc_scan.errors import NcScanError
from nc_scan.graph.difference import absolute_tolerance, difference, relative_tolerance
from nc_scan.graph.inlining import inline_functions
from nc_scan.graph.module import to_torch
from nc_scan.graph.order import ancestors, subgraphs
from nc_scan.graph.runtime import Array, Runtime
from nc_scan.results import ComparedValue, Trace


def trace(
    model: ModelProto,
    inputs: Sequence[Array],
    *,
    outputs: Sequence[str] | None = None,
    tolerance: float | None = None,
) -> Trace:
    """Compares each value between an unfused import and onnxruntime without its optimisations.

    `inputs` are the graph's in order; of a model that declares a fixed batch, the first batch is used. `tolerance` is
    relative to the largest absolute value that onnxruntime has. All values of the graph are held at once: give a few
    samples. Raises UnsupportedModelError where one of the two cannot run the model.
    """
    relative = relative_tolerance(model) if tolerance is None else tolerance
    model = inline_functions(model)
    wanted = [value.name for value in model.graph.output] if outputs is None else list(outputs)
    nodes = [model.graph.node[index] for index in ancestors(model.graph, wanted)]
    names = [name for node in nodes for name in node.output if name]
    runtime = Runtime(model, outputs=names, optimized=False)
    inputs = [array[: runtime.fixed_batch] if runtime.fixed_batch else array for array in inputs]
    theirs = dict(zip(names, runtime(*inputs), strict=True))
    ours = evaluate(to_torch(model, outputs=names, differentiable=False, fused=False), inputs)
    computed = dict(zip(names, ours if isinstance(ours, tuple) else (ours,), strict=True))
    values: list[ComparedValue] = []
    alone = None
    for node in nodes:
        for name in filter(None, node.output):
            our, their = computed[name], theirs[name]
            if not isinstance(their, np.ndarray) or not isinstance(our, Tensor):
                continue  # a sequence
            allowed = absolute_tolerance(their, relative)
            value = ComparedValue(node.name, node.op_type, name, their.shape, difference(our, their), allowed)
            if not value.agrees and all(earlier.agrees for earlier in values):
                alone = _alone(model, node, name, theirs | dict(zip(_inputs(model), inputs, strict=True)))
            values.append(value)
    return Trace(tuple(values), alone)


def evaluate(module: nn.Module, inputs: Sequence[Array]) -> Tensor | tuple[Tensor, ...]:
    """The module's outputs for NumPy inputs, without gradients, on the module's device."""
    tensors = list(module.parameters()) + list(module.buffers())
    device = tensors[0].device if tensors else torch.device("cpu")
    with torch.no_grad():
        result: Tensor | tuple[Tensor, ...] = module(*(torch.from_numpy(array).to(device) for array in inputs))
    return result


def _alone(model: ModelProto, node: NodeProto, name: str, values: Mapping[str, Array]) -> float | None:
    """How far the value `name` is off where its node alone is run on onnxruntime's `values`."""
    if any(subgraphs(node)):
        return None
    reads = set(node.input)
    given = [value for value in dict.fromkeys(node.input) if value in values]
    graph = onnx.GraphProto(name="alone")
    graph.node.append(node)
    graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in reads)
    graph.sparse_initializer.extend(t for t in model.graph.sparse_initializer if t.values.name in reads)
    for value, declared in [*((value, graph.input) for value in given), (name, graph.output)]:
        element = onnx.helper.np_dtype_to_tensor_dtype(values[value].dtype)
        declared.append(onnx.helper.make_tensor_value_info(value, element, values[value].shape))
    single = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        ours = evaluate(to_torch(single, differentiable=False, fused=False), [values[value] for value in given])
    except NcScanError:
        return None
    return difference(ours, values[name]) if isinstance(ours, Tensor) else None


def _inputs(model: ModelProto) -> list[str]:
    """Names of the graph's inputs that are no initializers."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in weights]
