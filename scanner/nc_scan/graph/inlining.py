"""Functions, inlined: the model's own, and operators that ONNX itself specifies by a function body."""

from collections.abc import Iterator

import onnx.inliner
from onnx import GraphProto, ModelProto, NodeProto

from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.order import subgraphs
from nc_scan.graph.registry import find, normal_domain
from nc_scan.text import message_of


def inline_functions(model: ModelProto) -> ModelProto:
    """The model with the calls of its local functions, and of operators that only have a function body, replaced by it.

    The model itself where there are none. Raises UnsupportedModelError where a function cannot be inlined, as when it
    calls itself.
    """
    try:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model, convert_version=True)
        while composite := _composite(model):  # a body may use such operators in turn
            model = _with_defaults(model, composite)
            model = onnx.inliner.inline_selected_functions(model, sorted(composite), inline_schema_functions=True)
    except (RuntimeError, ValueError) as error:
        raise UnsupportedModelError(f"the model's functions cannot be inlined: {message_of(error)}") from error
    return model


def _composite(model: ModelProto) -> set[tuple[str, str]]:
    """Operators that are not registered, and that the specification defines by a function body."""
    opsets = {normal_domain(opset.domain): opset.version for opset in model.opset_import}
    names = {(node.domain, node.op_type) for node in _nodes(model.graph)}
    used = {(normal_domain(domain), name) for domain, name in names}
    missing = {(domain, name) for domain, name in used if find(domain, name, opsets.get(domain, 0)) is None}
    return {(domain, name) for domain, name in missing if _has_body(domain, name, opsets.get(domain, 0))}


def _with_defaults(model: ModelProto, operators: set[tuple[str, str]]) -> ModelProto:
    """A copy in which the nodes of `operators` state every attribute: the inliner knows no defaults."""
    model_copy = ModelProto()
    model_copy.CopyFrom(model)
    opsets = {normal_domain(opset.domain): opset.version for opset in model.opset_import}
    for node in _nodes(model_copy.graph):
        domain = normal_domain(node.domain)
        if (domain, node.op_type) in operators:
            given = {attribute.name for attribute in node.attribute}
            schema = onnx.defs.get_schema(node.op_type, opsets[domain], domain)
            defaults = (attribute.default_value for attribute in schema.attributes.values())
            node.attribute.extend(value for value in defaults if value.name and value.name not in given)
    return model_copy


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph and of the bodies in it."""
    for node in graph.node:
        yield node
        for body in subgraphs(node):
            yield from _nodes(body)


def _has_body(domain: str, name: str, version: int) -> bool:
    if not onnx.defs.has(name, version, domain):
        return False
    schema = onnx.defs.get_schema(name, version, domain)
    return bool(schema.has_function or schema.has_context_dependent_function)  # type: ignore[attr-defined]
