"""Elementwise arithmetic. Shapes broadcast as in NumPy."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.registry import op
from nc_scan.graph.straight_through import through


@op("Add", since=7)
def add(a: Tensor, b: Tensor) -> Tensor:
    return a + b


@op("Sub", since=7)
def sub(a: Tensor, b: Tensor) -> Tensor:
    return a - b


@op("Mul", since=7)
def mul(a: Tensor, b: Tensor) -> Tensor:
    return a * b


@op("Div", since=7)
def div(a: Tensor, b: Tensor) -> Tensor:
    """Integers are divided towards zero."""
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


# Before version 7, b broadcasts only where asked to, its axes matching those of a from `axis` on.
@op("Add")
def add_at_axis(a: Tensor, b: Tensor, axis: int | None = None, broadcast: int = 0) -> Tensor:
    return a + _at_axis(a, b, axis, broadcast)


@op("Sub")
def sub_at_axis(a: Tensor, b: Tensor, axis: int | None = None, broadcast: int = 0) -> Tensor:
    return a - _at_axis(a, b, axis, broadcast)


@op("Mul")
def mul_at_axis(a: Tensor, b: Tensor, axis: int | None = None, broadcast: int = 0) -> Tensor:
    return a * _at_axis(a, b, axis, broadcast)


@op("Div")
def div_at_axis(a: Tensor, b: Tensor, axis: int | None = None, broadcast: int = 0) -> Tensor:
    return div(a, _at_axis(a, b, axis, broadcast))


def _at_axis(a: Tensor, b: Tensor, axis: int | None, broadcast: int) -> Tensor:
    if not broadcast or axis is None:
        return b
    return b.reshape(*b.shape, *[1] * (a.dim() - axis - b.dim()))


@op("Pow", since=7)
def pow_(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y).to(x.dtype)


@op("Pow")
def pow_at_axis(a: Tensor, b: Tensor, axis: int | None = None, broadcast: int = 0) -> Tensor:
    return pow_(a, _at_axis(a, b, axis, broadcast))


@op("Mod")
def mod(a: Tensor, b: Tensor, fmod: int = 0) -> Tensor:
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


@op("Sum")
def sum_(*inputs: Tensor) -> Tensor:
    return functools.reduce(torch.add, inputs)


@op("Mean")
def mean(*inputs: Tensor) -> Tensor:
    return sum_(*inputs) / len(inputs)


@op("Max", gradient="integers")
def max_(*inputs: Tensor) -> Tensor:
    return functools.reduce(torch.maximum, inputs)


@op("Min", gradient="integers")
def min_(*inputs: Tensor) -> Tensor:
    return functools.reduce(torch.minimum, inputs)


@op("Clip", since=11, gradient="integers")
def clip(x: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:
    """The upper bound wins where the bounds cross."""
    if isinstance(min, float) and isinstance(max, float) and min <= max:
        return F.hardtanh(x, min, max)  # backward in one pass over the values, where clamp takes several
    x = torch.maximum(x, min) if isinstance(min, Tensor) else x if min is None else torch.clamp(x, min=min)
    return torch.minimum(x, max) if isinstance(max, Tensor) else x if max is None else torch.clamp(x, max=max)


@op("Clip", gradient="integers")
def clip_attributes(x: Tensor, min: float = -math.inf, max: float = math.inf) -> Tensor:
    return clip(x, min, max)


@op("Abs")
def abs_(x: Tensor) -> Tensor:
    return torch.abs(x)


@op("Neg")
def neg(x: Tensor) -> Tensor:
    return -x


@op("Sign", gradient="none")
def sign(x: Tensor) -> Tensor:
    return torch.sign(x)


@op("Reciprocal")
def reciprocal(x: Tensor) -> Tensor:
    return 1 / x


@op("Sqrt")
def sqrt(x: Tensor) -> Tensor:
    return torch.sqrt(x)


@op("Exp")
def exp(x: Tensor) -> Tensor:
    return torch.exp(x)


@op("Log")
def log(x: Tensor) -> Tensor:
    return torch.log(x)


@op("Erf")
def erf(x: Tensor) -> Tensor:
    return torch.erf(x)


@op("Floor")
def floor(x: Tensor) -> Tensor:
    return through(torch.floor(x), x)


@op("Ceil")
def ceil(x: Tensor) -> Tensor:
    return through(torch.ceil(x), x)


@op("Round")
def round_(x: Tensor) -> Tensor:
    """Halves go to the even neighbour."""
    return through(torch.round(x), x)


@op("Sin", since=7)
def sin(x: Tensor) -> Tensor:
    return torch.sin(x)


@op("Cos", since=7)
def cos(x: Tensor) -> Tensor:
    return torch.cos(x)


@op("Tan", since=7)
def tan(x: Tensor) -> Tensor:
    return torch.tan(x)


@op("Asin", since=7)
def asin(x: Tensor) -> Tensor:
    return torch.asin(x)


@op("Acos", since=7)
def acos(x: Tensor) -> Tensor:
    return torch.acos(x)


@op("Atan", since=7)
def atan(x: Tensor) -> Tensor:
    return torch.atan(x)


@op("Sinh", since=9)
def sinh(x: Tensor) -> Tensor:
    return torch.sinh(x)


@op("Cosh", since=9)
def cosh(x: Tensor) -> Tensor:
    return torch.cosh(x)


@op("Asinh", since=9)
def asinh(x: Tensor) -> Tensor:
    return torch.asinh(x)


@op("Acosh", since=9)
def acosh(x: Tensor) -> Tensor:
    return torch.acosh(x)


@op("Atanh", since=9)
def atanh(x: Tensor) -> Tensor:
    return torch.atanh(x)
