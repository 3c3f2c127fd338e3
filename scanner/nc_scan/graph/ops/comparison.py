"""Comparisons, logic and selection."""

import torch
from torch import Tensor

from nc_scan.graph.registry import op


@op("Equal", since=7, gradient="none")
def equal(a: Tensor, b: Tensor) -> Tensor:
    return a == b


@op("Greater", since=7, gradient="none")
def greater(a: Tensor, b: Tensor) -> Tensor:
    return a > b


@op("GreaterOrEqual", gradient="none")
def greater_or_equal(a: Tensor, b: Tensor) -> Tensor:
    return a >= b


@op("Less", since=7, gradient="none")
def less(a: Tensor, b: Tensor) -> Tensor:
    return a < b


@op("LessOrEqual", gradient="none")
def less_or_equal(a: Tensor, b: Tensor) -> Tensor:
    return a <= b


@op("And", since=7, gradient="none")
def and_(a: Tensor, b: Tensor) -> Tensor:
    return torch.logical_and(a, b)


@op("Or", since=7, gradient="none")
def or_(a: Tensor, b: Tensor) -> Tensor:
    return torch.logical_or(a, b)


@op("Xor", since=7, gradient="none")
def xor(a: Tensor, b: Tensor) -> Tensor:
    return torch.logical_xor(a, b)


@op("Not", gradient="none")
def not_(x: Tensor) -> Tensor:
    return torch.logical_not(x)


@op("BitwiseAnd", gradient="none")
def bitwise_and(a: Tensor, b: Tensor) -> Tensor:
    return a & b


@op("BitwiseOr", gradient="none")
def bitwise_or(a: Tensor, b: Tensor) -> Tensor:
    return a | b


@op("BitwiseXor", gradient="none")
def bitwise_xor(a: Tensor, b: Tensor) -> Tensor:
    return a ^ b


@op("BitwiseNot", gradient="none")
def bitwise_not(x: Tensor) -> Tensor:
    return ~x


@op("BitShift", gradient="none")
def bit_shift(x: Tensor, y: Tensor, direction: str) -> Tensor:
    return x << y if direction == "LEFT" else x >> y


@op("IsNaN", gradient="none")
def is_nan(x: Tensor) -> Tensor:
    return torch.isnan(x)


@op("IsInf", gradient="none")
def is_inf(x: Tensor, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    return (torch.isposinf(x) & bool(detect_positive)) | (torch.isneginf(x) & bool(detect_negative))


@op("Where", gradient="integers")
def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)
