"""An ONNX graph as a torch module."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from onnx import ModelProto
from torch import Tensor, nn

import nc_scan.graph.ops  # noqa: F401  (fills the registry)
from nc_scan.graph.fusion import fuse
from nc_scan.graph.gradient import require_gradient
from nc_scan.graph.inlining import inline_functions
from nc_scan.graph.load import load_model
from nc_scan.graph.nodes import Step
from nc_scan.graph.plan import Plan, plan_graph
from nc_scan.graph.registry import normal_domain
from nc_scan.graph.tensors import DTYPES, OUTPUT_DTYPES


class OnnxModule(nn.Module):
    """Runs a planned graph with torch operations, so that autograd reaches back to its inputs.

    `forward` takes the graph's inputs in order and returns the wanted value, or a tuple where there are several;
    `input_names` and `output_names` are their raw ONNX names. An integer image input (uint8) may be given as floating
    point holding the same values: the graph's Cast then passes the gradient on. Integer outputs that carry a gradient
    stay floating point; all others have their ONNX type.
    """

    _probe: Tensor  # follows the module's device and dtype

    def __init__(self, plan: Plan, *, trainable: bool = False) -> None:
        super().__init__()
        self.input_names = tuple(plan.inputs)
        self.output_names = tuple(plan.outputs)
        self.captured = tuple(plan.captured)
        self._types = plan.types
        self._steps = plan.steps
        self._host_constants = plan.host_constants
        self._keys: dict[str, str] = {}  # raw names may hold dots, which torch's parameter names may not
        for index, (name, tensor) in enumerate(plan.constants.items()):
            key = self._keys[name] = f"value{index}"
            if tensor.is_floating_point():
                self.register_parameter(key, nn.Parameter(tensor, requires_grad=trainable))
            else:
                self.register_buffer(key, tensor)
        self.register_buffer("_probe", torch.zeros(()), persistent=False)
        self.bodies = nn.ModuleList(body for step in plan.steps for body in step.bodies.values())

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The wanted values for the graph's inputs. Raises UnsupportedModelError where a node fails on them."""
        if len(inputs) != len(self.input_names):
            raise TypeError(f"the graph has the inputs {', '.join(self.input_names)}; {len(inputs)} were given")
        outputs = self.run(inputs, {})
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def run(self, inputs: Sequence[Any], outer: Mapping[str, Any]) -> list[Any]:
        """Evaluates the graph; `outer` holds the values that a body captures from the graph around it."""
        constants = {**self._parameters, **self._buffers}
        values: dict[str, Any] = {name: constants[key] for name, key in self._keys.items()}
        values.update(outer)
        for name, value in zip(self.input_names, inputs, strict=True):
            values[name] = _accept(value, self._types.get(name, 0))
        host: dict[str, Any] = dict(self._host_constants)
        for step in self._steps:
            results = step.run(host if step.host and not step.operator.host else values)
            for name, result in zip(step.outputs, results, strict=False):
                values[name] = result.to(self._probe.device) if name in step.moved else result
                if step.host:
                    host[name] = result
            for name in step.releases:
                values.pop(name, None)
                host.pop(name, None)
        return [_hand_out(values[name], self._types.get(name, 0)) for name in self.output_names]

    @property
    def steps(self) -> list[Step]:
        """What the module runs, in order."""
        return self._steps

    def bind(self, outer: Mapping[str, Any]) -> Callable[..., list[Any]]:
        """This graph as the body of a control-flow operator: a function of its inputs."""
        return lambda *inputs: self.run(inputs, outer)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves and casts as every module does; casts inside the graph follow a change of dtype."""
        before = self._probe.dtype
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        after = self._probe.dtype
        if after != before:
            for step in self._steps:
                for name, value in step.attributes.items():
                    if isinstance(value, torch.dtype) and value.is_floating_point:
                        step.attributes[name] = after
            self._host_constants = {
                name: tensor.to(after) if tensor.is_floating_point() else tensor
                for name, tensor in self._host_constants.items()
            }
        return self


def to_torch(
    model: str | Path | bytes | ModelProto,
    *,
    outputs: Sequence[str] | None = None,
    trainable: bool = False,
    differentiable: bool = True,
    fused: bool = True,
) -> OnnxModule:
    """Imports an ONNX model as a torch module that autograd can differentiate.

    `outputs` names any values of the graph (its own outputs by default). Weights are frozen unless `trainable`. With
    `fused`, BatchNormalization is folded into convolutions and a Gelu that is spelt out becomes one call; a trainable
    module is never fused. `differentiable=False` imports a graph without a gradient, such as one that ends in ArgMax.

    Raises ModelFileError for a file that is no valid model, UnsupportedModelError for an operator that is missing and
    for outputs that no gradient reaches, ValueError for an output that the graph does not have.
    """
    proto = inline_functions(load_model(model))
    opsets = {normal_domain(opset.domain): opset.version for opset in proto.opset_import}

    def make_body(plan: Plan) -> OnnxModule:
        return OnnxModule(plan, trainable=trainable)

    plan = plan_graph(proto.graph, outputs, opsets, make_body, rewrite=fuse if fused and not trainable else None)
    if differentiable:
        floating = [(name, _is_floating(plan.types[name])) for name in plan.inputs]
        require_gradient(floating, plan.outputs, plan.steps)
    return OnnxModule(plan, trainable=trainable)


def _is_floating(element_type: int) -> bool:
    return DTYPES.get(element_type, torch.float32).is_floating_point


def _accept(value: Any, element_type: int) -> Any:
    """An input in the type in which it is computed; floating point is taken as it is."""
    if isinstance(value, Tensor) and not value.is_floating_point() and element_type in DTYPES:
        return value.to(DTYPES[element_type])
    return value


def _hand_out(value: Any, element_type: int) -> Any:
    """An output in its declared type, unless that would cut its gradient."""
    declared = OUTPUT_DTYPES.get(element_type)
    if not isinstance(value, Tensor) or declared is None or value.requires_grad:
        return value
    # Floating point follows the module's dtype, but for the eight bits of a quantised value.
    return value.to(declared) if not declared.is_floating_point or declared.itemsize == 1 else value
