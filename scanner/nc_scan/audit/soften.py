"""A graph whose steps hand a gradient back: what they compute is unchanged, what they would need is told.

The straight-through estimator (Bengio, Leonard and Courville 2013) for comparisons, logic, rounding and what saturates.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor

from nc_scan.graph import to_torch
from nc_scan.graph.module import OnnxModule
from nc_scan.graph.nodes import Step
from nc_scan.graph.registry import ONNX, find

Slope = Callable[..., Tensor]
AXES_AS_INPUT = 18  # the version from which reductions read axes either way

# For each operator what its result grows with.
GROWS_WITH: dict[str, Slope] = {
    **dict.fromkeys(
        ["Floor", "Ceil", "Round", "Sign", "Relu", "Clip", "HardSigmoid", "Sigmoid", "Tanh", "Erf", "Exp", "Sqrt",
         "Log", "Softsign", "HardSwish", "Softmax", "Hardmax", "Mod", "Cast", "LeakyRelu", "ThresholdedRelu", "Celu",
         "Softplus", "Elu", "Selu", "Shrink", "Pow", "Atan", "Sin", "QuantizeLinear", "DequantizeLinear"],
        lambda x, *_: x,
    ),
    **dict.fromkeys(["Not", "Reciprocal", "IsNaN", "BitwiseNot"], lambda x, *_: -x),
    **dict.fromkeys(["Greater", "GreaterOrEqual"], lambda a, b, *_: a - b),
    **dict.fromkeys(["Less", "LessOrEqual"], lambda a, b, *_: b - a),
    **dict.fromkeys(["And", "Or", "BitwiseAnd", "BitwiseOr"], lambda a, b, *_: a + b),
    **dict.fromkeys(["Max", "Min"], lambda *values: sum(values[1:], start=values[0])),
    "Cos": lambda x: -x.abs(),
    "Equal": lambda a, b, *_: -(a - b).abs(),
    "Xor": lambda a, b, *_: (a - b).abs(),
    "IsInf": lambda x, *_: torch.where(x >= 0, x, -x),
    "Mul": lambda a, b, *_: a * b.detach() + b * a.detach() + torch.where(a * b == 0, a + b, 0.0),
}  # fmt: skip
AVERAGED = {"ReduceProd", "ReduceMin", "ReduceMax"}
AXES = {"axis", "axes", "keepdims", "noop_with_empty_axes"}


def _place(x: Tensor, axis: int = 0, keepdims: int = 1, sign: float = 1.0) -> Tensor:
    """Grows as the largest value moves on, as an ArgMax does."""
    places = torch.arange(x.shape[axis], dtype=x.dtype).view(
        [-1 if at == axis % x.dim() else 1 for at in range(x.dim())]
    )
    return (sign * x * (places - places.mean())).sum(axis, keepdim=bool(keepdims))


def _nearness(indices: Tensor, depth: Tensor, *_: Tensor, axis: int = -1) -> Tensor:
    """How near an index is to each place, as a OneHot tells."""
    places = torch.arange(int(torch.as_tensor(depth).reshape(-1)[0]), dtype=indices.dtype)
    return -(indices[..., None] - places).abs().movedim(-1, axis)


# The same for those whose axes matter.
GROWS_ALONG: dict[str, Slope] = {"ArgMax": _place, "ArgMin": partial(_place, sign=-1.0), "OneHot": _nearness}
TRUTH = {"And", "Or", "Xor", "Not", "BitwiseAnd", "BitwiseOr", "BitwiseNot"}


def softened(model: ModelProto, outputs: list[str], steps: Container[str]) -> OnnxModule:
    """The graph as a module in which the nodes that write the values `steps` pass gradients on.

    Truth values are 0 and 1 in floating point there. Raises UnsupportedModelError as `to_torch`.
    """
    module = to_torch(model, outputs=outputs, differentiable=False, fused=False)
    for step in module.steps:
        if step.operator.domain == ONNX and step.outputs[0] in steps:
            soft = _soft(step)
            if soft is not None:
                step.operator = replace(step.operator, function=soft)
    return module


def _soft(step: Step) -> Callable[..., Any] | None:
    name, function = step.operator.name, step.operator.function
    if name == "Where":
        return _where
    if name == "Cast" and step.attributes.get("to") is not None and step.attributes["to"].is_floating_point:
        return None
    if name in GROWS_ALONG:
        slope: Slope | None = GROWS_ALONG[name]
    elif name in AVERAGED:
        mean = find(ONNX, "ReduceMean", AXES_AS_INPUT)
        assert mean is not None
        slope = mean.function
    else:
        slope = GROWS_WITH.get(name)
    if slope is None:
        return None
    grows_with, along = slope, name in AVERAGED or name in GROWS_ALONG

    def run(*arguments: Any, **attributes: Any) -> Tensor:
        with torch.no_grad():
            hard = function(*(_hardened(value, name) for value in arguments), **attributes)
        floating = [value.float() if isinstance(value, Tensor) else value for value in arguments]
        taken = {key: value for key, value in attributes.items() if key in AXES} if along else {}
        return _straight_through(hard, grows_with(*floating, **taken))

    return run


def _where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    chosen = torch.where(condition > 0.5 if condition.is_floating_point() else condition, x, y)
    if not condition.is_floating_point():
        return chosen
    return chosen + (condition - condition.detach()) * torch.nan_to_num((x - y).detach().float())


def _straight_through(hard: Tensor, slope: Tensor) -> Tensor:
    """The value of `hard`, with the gradient of `slope`."""
    value = hard.float()
    if not slope.requires_grad:
        return value
    return value + torch.nan_to_num(slope - slope.detach())


def _hardened(value: Any, operator: str) -> Any:
    return value > 0.5 if operator in TRUTH and isinstance(value, Tensor) and value.is_floating_point() else value
