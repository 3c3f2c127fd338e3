"""Functions, inlined: the model's own, and operators that ONNX itself specifies by a function body."""

from collections.abc import Iterator

import onnx.inliner
from onnx import GraphProto, ModelProto

from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.order import subgraphs
from nc_scan.graph.registry import find, normal_domain


def inline_functions(model: ModelProto) -> ModelProto:
    """The model with the calls of its local functions, and of operators that only have a function body, replaced by it.

    The model itself where there are none. Raises UnsupportedModelError where a function cannot be inlined, as when it
    calls itself.
    """
    try:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model, convert_version=True)
        composite = sorted(_composite(model))
        if composite:
            model = onnx.inliner.inline_selected_functions(model, composite, inline_schema_functions=True)
    except (RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())[:300]
        raise UnsupportedModelError(f"the model's functions cannot be inlined: {message}") from error
    return model


def _composite(model: ModelProto) -> set[tuple[str, str]]:
    """Operators that are not registered, and that the specification defines by a function body."""
    opsets = {normal_domain(opset.domain): opset.version for opset in model.opset_import}
    used = {(normal_domain(domain), name) for domain, name in _operators(model.graph)}
    missing = {(domain, name) for domain, name in used if find(domain, name, opsets.get(domain, 0)) is None}
    return {(domain, name) for domain, name in missing if _has_body(domain, name, opsets.get(domain, 0))}


def _operators(graph: GraphProto) -> Iterator[tuple[str, str]]:
    for node in graph.node:
        yield node.domain, node.op_type
        for body in subgraphs(node):
            yield from _operators(body)


def _has_body(domain: str, name: str, version: int) -> bool:
    if not onnx.defs.has(name, version, domain):
        return False
    schema = onnx.defs.get_schema(name, version, domain)
    return bool(schema.has_function or schema.has_context_dependent_function)
