"""From a GraphProto to steps: pruned, sorted, bound, folded, each value released after its last use."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from onnx import GraphProto
from torch import Tensor

from nc_scan.errors import ModelFileError
from nc_scan.graph.memory_limit import ConstantLimit
from nc_scan.graph.nodes import Step, bind
from nc_scan.graph.order import ancestors
from nc_scan.graph.straight_through import pass_casts
from nc_scan.graph.tensors import to_dense, to_tensor


@dataclass
class Plan:
    """What a module needs to run a graph.

    `types` are the declared element types of inputs and outputs. Of the constants, `constants` live on the module's
    device and `host_constants` beside the host: shapes and what is worked out from them.
    """

    inputs: list[str]
    outputs: list[str]
    captured: list[str]
    types: dict[str, int]
    steps: list[Step]
    constants: dict[str, Tensor]
    host_constants: dict[str, Tensor]


def plan_graph(
    graph: GraphProto,
    outputs: Iterable[str] | None,
    opsets: Mapping[str, int],
    make_body: Callable[[Plan], object],
    outer: Mapping[str, Tensor] | None = None,
    rewrite: Callable[[list[Step], dict[str, Tensor], set[str]], list[Step]] | None = None,
) -> Plan:
    """Plans the evaluation of `outputs` (names of any values; the graph's own by default).

    `outer` are constants of the graph around this one, if it is a body. `rewrite` may replace steps by cheaper ones.
    Raises ValueError for an output that the graph does not have, UnsupportedModelError and ModelFileError as `bind`.
    """
    wanted = [value.name for value in graph.output] if outputs is None else list(outputs)
    own = _initializers(graph)
    constants: ChainMap[str, Tensor] = ChainMap(own, dict(outer or {}))
    inputs = [value.name for value in graph.input if value.name not in own]

    def compile_body(body: GraphProto) -> object:
        return make_body(plan_graph(body, None, opsets, make_body, constants, rewrite))

    steps: list[Step] = []
    produced = set(inputs)
    for index in ancestors(graph, wanted):
        node = graph.node[index]
        step = bind(node, opsets, compile_body)
        if outer is None:
            _require_known(step, produced, constants)
        if not _fold(step, own, constants):
            steps.append(step)
            produced.update(step.outputs)
    _require_outputs(graph, wanted, produced, constants, is_body=outer is not None)
    if rewrite is not None:
        steps = rewrite(steps, own, set(wanted))
    _place(steps, constants)
    pass_casts(steps, set(wanted))
    captured = _captured(steps, wanted, produced, constants)
    _release(steps, set(wanted))
    _read_early(steps, constants)
    used = {name for step in steps if not step.host for name in step.tensors} | set(wanted)
    host = {name for step in steps if step.host for name in step.tensors}
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    return Plan(
        inputs,
        wanted,
        captured,
        types,
        steps,
        {name: constants[name] for name in sorted(used) if name in constants},
        {name: constants[name] for name in sorted(host) if name in constants},
    )


def _initializers(graph: GraphProto) -> dict[str, Tensor]:
    tensors = {tensor.name: to_tensor(tensor) for tensor in graph.initializer}
    return tensors | {sparse.values.name: to_dense(sparse) for sparse in graph.sparse_initializer}


def _require_known(step: Step, produced: set[str], constants: Mapping[str, Tensor]) -> None:
    for name in sorted(step.reads):
        if name not in produced and name not in constants:
            raise ModelFileError(f"{step.label} reads the value '{name}', which nothing in the graph writes")


def _require_outputs(
    graph: GraphProto, wanted: list[str], produced: set[str], constants: Mapping[str, Tensor], *, is_body: bool
) -> None:
    unknown = [name for name in wanted if name not in produced and name not in constants]
    if unknown and not is_body:
        raise ValueError(f"the graph '{graph.name}' has no value named '{unknown[0]}'")


def _fold(step: Step, own: dict[str, Tensor], constants: Mapping[str, Tensor]) -> bool:
    """Runs a step that reads constants only, so that its outputs become constants; says whether it could."""
    if step.operator.random or not all(name in constants for name in step.reads):
        return False
    with torch.no_grad(), ConstantLimit():  # type: ignore[no-untyped-call]
        results = dict(zip(step.outputs, step.run(constants), strict=False))
    if not all(isinstance(value, Tensor) for value in results.values()):
        return False
    own.update({name: value for name, value in results.items() if name})
    return True


def _place(steps: list[Step], constants: Mapping[str, Tensor]) -> None:
    """Marks the steps that run in host memory: those on shapes, and on what is worked out from shapes alone.

    So the integers that steer a Reshape or a Slice never travel to the device and back.
    """
    host: set[str] = set()
    on_device = {name for step in steps for name in step.captured}
    for step in steps:
        dynamic = [name for name in step.reads if name not in constants]
        step.host = step.operator.host or (not step.bodies and bool(dynamic) and all(name in host for name in dynamic))
        if step.host:
            host.update(step.outputs)
        else:
            on_device.update(step.tensors)
    for step in steps:
        if step.host:
            step.moved = frozenset(step.outputs) & on_device


def _captured(steps: list[Step], wanted: list[str], produced: set[str], constants: Mapping[str, Tensor]) -> list[str]:
    used = {name for step in steps for name in step.reads} | set(wanted)
    return sorted(name for name in used if name not in produced and name not in constants)


def _release(steps: list[Step], kept: set[str]) -> None:
    """Lets each step release the values that it is the last to read, or that nobody reads."""
    seen = set(kept)
    for step in reversed(steps):
        last = (step.reads | {name for name in step.outputs if name}) - seen
        step.releases = tuple(sorted(last))
        seen |= last


def _read_early(steps: list[Step], constants: Mapping[str, Tensor]) -> None:
    """Reads the Python values among the arguments now where they are constant."""
    for step in steps:
        for source in [source for source in step.sources if source.early and source.name in constants]:
            assert source.early is not None
            value = constants[source.name]
            if source.reader or value.numel() == 1:
                step.arguments[source.position] = source.early(value)
                step.sources.remove(source)
