"""Gradients of the backend suite's cases against central differences, in float64."""

import math

import onnx
import torch
from tests.scanner.graph.conformance import Case, as_torch
from torch import Tensor

from nc_scan.graph import to_torch

STEP = 1e-6
# Rounding lets the gradient straight through on purpose.
STRAIGHT_THROUGH = ("Quantize", "QLinear", "Integer", "Floor", "Ceil", "Round")
FLOAT8 = {value for name, value in onnx.TensorProto.DataType.items() if name.startswith("FLOAT8")}
RIGHT, WRONG = "matches", "differs"
# Spelt out, a query that may see no key makes a NaN; the graph replaces it, but autograd multiplies it by zero.
NAN = "is NaN, from a value that the graph replaces"


def check_gradient(case: Case) -> str:
    """RIGHT, WRONG, or why the derivative by the first floating-point input has nothing to be compared with."""
    if any(part in name for _, name in case.operators for part in STRAIGHT_THROUGH):
        return "rounds, and passes the gradient straight through"
    if any(value.type.tensor_type.elem_type in FLOAT8 for value in case.model.graph.output):
        return "rounds to eight bits"
    if any(name == "BitCast" for _, name in case.operators):
        return "reads bits, which are others in float64"
    values = [_as_double(as_torch(value)) for value in case.data[0][0]]
    position = next((p for p, v in enumerate(values) if isinstance(v, Tensor) and v.dtype == torch.float64), None)
    if position is None or not values[position].numel():
        return "no floating-point input"
    module = to_torch(case.model, outputs=_outputs(case), differentiable=False).double()
    weights: list[Tensor] = []
    generator = torch.Generator().manual_seed(0)

    def score(x: Tensor) -> Tensor:
        results = module(*values[:position], x, *values[position + 1 :])
        floats = [y for y in (results if isinstance(results, tuple) else (results,)) if isinstance(y, Tensor)]
        floats = [y.double() for y in floats if y.is_floating_point() and y.numel()]
        if not weights:
            weights.extend(torch.randn(y.shape, dtype=torch.float64, generator=generator) for y in floats)
        return sum(((w * y).sum() for w, y in zip(weights, floats, strict=True)), x.new_zeros(()))

    # A tiny shift leaves the ties and corners that the suite's round numbers sit on.
    x = torch.where(values[position].isfinite(), values[position], 0.5)
    if float(x.abs().max()) * torch.finfo(x.dtype).eps > 1e-3 * STEP:
        return "values too large for a step to change"
    moved = (x + 1e-3 * torch.rand(x.shape, dtype=torch.float64, generator=generator)).requires_grad_()
    direction = torch.randn(x.shape, dtype=torch.float64, generator=generator)
    y = score(moved)
    if not y.requires_grad:
        return "no output depends on the input's values, or only by steps"
    if not y.isfinite():
        return "the output is not finite"
    (gradient,) = torch.autograd.grad(y, moved, allow_unused=True)
    with torch.no_grad():
        ahead, back = score(moved + STEP * direction), score(moved - STEP * direction)
    slopes = (ahead - y.detach()) / STEP, (y.detach() - back) / STEP
    scale = max(1.0, *(abs(float(slope)) for slope in slopes))
    if not all(s.isfinite() for s in slopes) or abs(slopes[0] - slopes[1]) > 1e-2 * scale:
        return "not smooth there"
    found = 0.0 if gradient is None else float((gradient * direction).sum())
    if math.isnan(found):
        return NAN
    return RIGHT if abs(found - float(slopes[0] + slopes[1]) / 2) <= 1e-3 * scale else WRONG


def _outputs(case: Case) -> list[str] | None:
    """The logits of a light network, whose constant weights saturate the Softmax so that only rounding is left."""
    last = case.model.graph.node[-1]
    return [last.input[0]] if case.kind == "light" and last.op_type == "Softmax" else None


def _as_double(value: object) -> object:
    wide = isinstance(value, Tensor) and value.is_floating_point() and value.dtype.itemsize > 1
    return value.double() if wide else value
