"""Reductions. Axes are an attribute in early versions and an input later; they bind by name either way."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nc_scan.graph.registry import op

Reduce = Callable[[Tensor, list[int], bool], Tensor]


def _l1(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.abs().sum(axes, keepdim=keep)


def _l2(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.square().sum(axes, keepdim=keep).sqrt()


def _log_sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keepdim=keep).log()


def _log_sum_exp(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return torch.logsumexp(x, axes, keepdim=keep)


def _max(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _identity(x, axes, keep, "min") if x.numel() == 0 else x.amax(axes, keepdim=keep)


def _min(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _identity(x, axes, keep, "max") if x.numel() == 0 else x.amin(axes, keepdim=keep)


def _identity(x: Tensor, axes: list[int], keep: bool, bound: str) -> Tensor:
    """What reducing no values gives: the smallest or the largest value of the type."""
    if x.is_floating_point():
        value: float = -math.inf if bound == "min" else math.inf
    else:
        value = bound == "max" if x.dtype == torch.bool else getattr(torch.iinfo(x.dtype), bound)
    return torch.full_like(x.sum(axes, keepdim=keep), value, dtype=x.dtype)


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.mean(axes, keepdim=keep)


def _prod(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keepdim=keep)


def _sum_square(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.square().sum(axes, keepdim=keep)


REDUCTIONS: dict[str, Reduce] = {
    "ReduceL1": _l1,
    "ReduceL2": _l2,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _max,
    "ReduceMean": _mean,
    "ReduceMin": _min,
    "ReduceProd": _prod,
    "ReduceSum": _sum,
    "ReduceSumSquare": _sum_square,
}


def _register(name: str, reduce: Reduce) -> None:
    @op(name, gradient="integers" if name in ("ReduceMax", "ReduceMin") else "floats")
    def reduction(
        data: Tensor, axes: list[int] | None = None, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Tensor:
        if not axes and noop_with_empty_axes:
            return reduce(data.unsqueeze(0), [0], False)  # elementwise operations around the sum still take place
        if data.dim() == 0:
            return reduce(data.unsqueeze(0), [0], False)
        return reduce(data, axes or list(range(data.dim())), bool(keepdims)).to(data.dtype)


for _name, _reduce in REDUCTIONS.items():
    _register(_name, _reduce)


@op("ArgMax", gradient="none")
def arg_max(data: Tensor, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    if select_last_index:
        return data.shape[axis] - 1 - data.flip(axis).argmax(axis, keepdim=bool(keepdims))
    return data.argmax(axis, keepdim=bool(keepdims))


@op("ArgMin", gradient="none")
def arg_min(data: Tensor, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    return arg_max(-data, axis, keepdims, select_last_index)


@op("CumSum")
def cum_sum(x: Tensor, axis: int, exclusive: int = 0, reverse: int = 0) -> Tensor:
    x = x.flip(axis) if reverse else x
    y = x.cumsum(axis, dtype=x.dtype)
    y = y - x if exclusive else y
    return y.flip(axis) if reverse else y


@op("CumProd")
def cum_prod(x: Tensor, axis: int, exclusive: int = 0, reverse: int = 0) -> Tensor:
    x = x.flip(axis) if reverse else x
    if exclusive:
        x = torch.cat([torch.ones_like(x.narrow(axis, 0, 1)), x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    y = x.cumprod(axis, dtype=x.dtype)
    return y.flip(axis) if reverse else y


@op("TopK", since=10)
def top_k(x: Tensor, k: int, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    """Of equal values the one with the lower index comes first."""
    values, indices = torch.sort(x, dim=axis, descending=bool(largest), stable=True)
    return values.narrow(axis, 0, k), indices.narrow(axis, 0, k)


@op("TopK")
def top_k_attribute(x: Tensor, k: int, axis: int = -1) -> tuple[Tensor, Tensor]:
    return top_k(x, k, axis)
