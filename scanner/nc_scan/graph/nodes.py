"""Nodes bound to operator functions: what is read, what is called, what is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any

import onnx
import torch
from onnx import AttributeProto, GraphProto, NodeProto
from torch import Tensor

from nc_scan.errors import ModelFileError, UnsupportedModelError
from nc_scan.graph.registry import Operator, Reader, find, normal_domain
from nc_scan.graph.tensors import to_dense, to_tensor, torch_dtype
from nc_scan.text import message_of

Body = Callable[..., list[Tensor]]

# What an operator's function may take beside the node's inputs and attributes: the number of outputs that are wanted.
OUTPUT_COUNT = "outputs"


@dataclass(frozen=True)
class Source:
    """An argument that is read from the value `name`, through `reader` where a Python value is wanted.

    `early` reads it where it is a constant.
    """

    position: int
    name: str
    reader: Reader | None
    early: Reader | None = None


@dataclass
class Step:
    """One node, ready to run.

    `arguments` are the positional arguments with holes that `sources` fill; `attributes` the keyword arguments;
    `bodies` the subgraphs, which also read the `captured` outer values. `releases` are the values that no later step
    reads.
    """

    label: str
    operator: Operator
    arguments: list[Any]
    sources: list[Source]
    attributes: dict[str, Any]
    bodies: dict[str, Any]
    captured: tuple[str, ...]
    outputs: tuple[str, ...]
    releases: tuple[str, ...] = ()
    host: bool = False
    moved: frozenset[str] = field(default_factory=frozenset)

    @property
    def tensors(self) -> list[str]:
        """Names of the values that enter the function as tensors."""
        return [source.name for source in self.sources if source.reader is None]

    @property
    def reads(self) -> set[str]:
        """Names of all values that the step depends on."""
        return {source.name for source in self.sources} | set(self.captured)

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Calls the operator on `values`; returns its outputs in order. Raises UnsupportedModelError where it fails."""
        try:
            arguments = list(self.arguments)
            for source in self.sources:
                value = values[source.name]
                arguments[source.position] = value if source.reader is None else source.reader(value)
            attributes = self.attributes
            if self.bodies:
                outer = {name: values[name] for name in self.captured}
                attributes = attributes | {name: body.bind(outer) for name, body in self.bodies.items()}
            result = self.operator.function(*arguments, **attributes)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            raise UnsupportedModelError(f"{self.label} failed: {message_of(error)}") from error
        return result if isinstance(result, tuple) else (result,)


def bind(node: NodeProto, opsets: Mapping[str, int], compile_body: Callable[[GraphProto], Any]) -> Step:
    """Binds a node to the function of its operator.

    Raises UnsupportedModelError for an operator or attribute that is not supported, ModelFileError for a node that
    does not have the inputs of its operator.
    """
    domain = normal_domain(node.domain)
    operator = find(domain, node.op_type, opsets.get(domain, 0))
    label = f"node '{node.name or next(iter(node.output), '')}' ({domain or 'ai.onnx'}::{node.op_type}, "
    label += f"version {opsets.get(domain, 'unknown')})"
    if operator is None:
        raise UnsupportedModelError(f"{label}: this operator is not supported; {_advice(domain)}")
    arguments, sources = _bind_inputs(node, operator, label)
    attributes, bodies = _bind_attributes(node, operator, label, compile_body)
    if OUTPUT_COUNT in operator.parameters:
        attributes[OUTPUT_COUNT] = len(node.output)
    captured = sorted({name for body in bodies.values() for name in body.captured})
    return Step(label, operator, arguments, sources, attributes, bodies, tuple(captured), tuple(node.output))


def _bind_inputs(node: NodeProto, operator: Operator, label: str) -> tuple[list[Any], list[Source]]:
    arguments: list[Any] = []
    sources: list[Source] = []
    parameters = operator.inputs
    for position, name in enumerate(node.input):
        variadic = bool(parameters) and parameters[-1].kind is Parameter.VAR_POSITIONAL
        if position >= len(parameters) and not variadic:
            raise ModelFileError(f"{label} has {len(node.input)} inputs, more than the operator knows")
        parameter = parameters[min(position, len(parameters) - 1)]
        if name:
            readers = operator.reader(parameter.name), operator.early_reader(parameter.name)
            sources.append(Source(position, name, *readers))
        elif operator.requires(parameter):
            raise ModelFileError(f"{label} lacks its input '{parameter.name}'")
        arguments.append(None if name or parameter.default is Parameter.empty else parameter.default)
    required = [p for p in parameters if operator.requires(p)]
    given = {attribute.name for attribute in node.attribute}
    if len(node.input) < len(required) and not {p.name for p in required[len(node.input) :]} <= given:
        raise ModelFileError(f"{label} has {len(node.input)} inputs instead of {len(required)}")
    return arguments, sources


def _bind_attributes(
    node: NodeProto, operator: Operator, label: str, compile_body: Callable[[GraphProto], Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    attributes: dict[str, Any] = {}
    bodies: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.name in operator.ignores:
            continue
        if attribute.name in operator.only:
            value = onnx.helper.get_attribute_value(attribute)
            if value != operator.only[attribute.name]:
                raise UnsupportedModelError(f"{label}: {attribute.name}={value} is not supported")
            continue
        if attribute.name not in operator.parameters or attribute.ref_attr_name:
            raise UnsupportedModelError(f"{label}: the attribute '{attribute.name}' is not supported")
        if attribute.type == AttributeProto.GRAPH:
            bodies[attribute.name] = compile_body(attribute.g)
        else:
            attributes[attribute.name] = _attribute_value(attribute, operator)
    return attributes, bodies


def _attribute_value(attribute: AttributeProto, operator: Operator) -> Any:
    """The attribute as the function's annotation asks for it."""
    if attribute.type == AttributeProto.TENSOR:
        return to_tensor(attribute.t)
    if attribute.type == AttributeProto.SPARSE_TENSOR:
        return to_dense(attribute.sparse_tensor)
    value = onnx.helper.get_attribute_value(attribute)
    if operator.annotations[attribute.name] is torch.dtype:
        return torch_dtype(value) if value else None  # 0 is UNDEFINED, the default
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if attribute.type == AttributeProto.STRINGS:
        return [item.decode(errors="replace") for item in value]
    return list(value) if attribute.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value


def _advice(domain: str) -> str:
    if domain in ("", "ai.onnx.ml") or domain.startswith("com.microsoft"):
        return "export the model with standard tensor operators, or ask for the operator to be added"
    return "custom operators are never loaded: export the model without them"
