"""Comparisons, logic and selection."""

import torch
from torch import Tensor

from nc_scan.graph.registry import op


@op("Equal", since=7)
def equal(a: Tensor, b: Tensor) -> Tensor:
    return a == b


@op("Greater", since=7)
def greater(a: Tensor, b: Tensor) -> Tensor:
    return a > b


@op("GreaterOrEqual")
def greater_or_equal(a: Tensor, b: Tensor) -> Tensor:
    return a >= b


@op("Less", since=7)
def less(a: Tensor, b: Tensor) -> Tensor:
    return a < b


@op("LessOrEqual")
def less_or_equal(a: Tensor, b: Tensor) -> Tensor:
    return a <= b


@op("And", since=7)
def and_(a: Tensor, b: Tensor) -> Tensor:
    return torch.logical_and(a, b)


@op("Or", since=7)
def or_(a: Tensor, b: Tensor) -> Tensor:
    return torch.logical_or(a, b)


@op("Xor", since=7)
def xor(a: Tensor, b: Tensor) -> Tensor:
    return torch.logical_xor(a, b)


@op("Not")
def not_(x: Tensor) -> Tensor:
    return torch.logical_not(x)


@op("BitwiseAnd")
def bitwise_and(a: Tensor, b: Tensor) -> Tensor:
    return a & b


@op("BitwiseOr")
def bitwise_or(a: Tensor, b: Tensor) -> Tensor:
    return a | b


@op("BitwiseXor")
def bitwise_xor(a: Tensor, b: Tensor) -> Tensor:
    return a ^ b


@op("BitwiseNot")
def bitwise_not(x: Tensor) -> Tensor:
    return ~x


@op("BitShift")
def bit_shift(x: Tensor, y: Tensor, direction: str) -> Tensor:
    return x << y if direction == "LEFT" else x >> y


@op("IsNaN")
def is_nan(x: Tensor) -> Tensor:
    return torch.isnan(x)


@op("IsInf")
def is_inf(x: Tensor, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    return (torch.isposinf(x) & bool(detect_positive)) | (torch.isneginf(x) & bool(detect_negative))


@op("Where")
def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)
