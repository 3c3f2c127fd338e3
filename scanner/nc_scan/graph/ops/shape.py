"""Operators that look at shapes, or move values about."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.registry import op


@op("Shape", host=True, gradient="none")
def shape(data: Tensor, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(data.shape[start:end], dtype=torch.int64)


@op("Size", host=True, gradient="none")
def size(data: Tensor) -> Tensor:
    return torch.tensor(data.numel(), dtype=torch.int64)


@op("Reshape", gradient="integers")
def reshape(data: Tensor, shape: list[int], allowzero: int = 0) -> Tensor:
    if not allowzero:  # a 0 keeps the length of the input's axis
        shape = [data.shape[axis] if length == 0 else length for axis, length in enumerate(shape)]
    return data.reshape(shape)


@op("Flatten", gradient="integers")
def flatten(x: Tensor, axis: int = 1) -> Tensor:
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())


@op("Squeeze", gradient="integers")
def squeeze(data: Tensor, axes: list[int] | None = None) -> Tensor:
    return data.squeeze() if axes is None else data.squeeze(tuple(axes))


@op("Unsqueeze", gradient="integers")
def unsqueeze(data: Tensor, axes: list[int]) -> Tensor:
    rank = data.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        data = data.unsqueeze(axis)
    return data


@op("Transpose", gradient="integers")
def transpose(data: Tensor, perm: list[int] | None = None) -> Tensor:
    return data.permute(perm or list(range(data.dim()))[::-1])


@op("Concat", gradient="integers")
def concat(*inputs: Tensor, axis: int = 1) -> Tensor:
    return torch.cat(inputs, axis)


@op("Split", gradient="integers")
def split(
    x: Tensor, split: list[int] | None = None, axis: int = 0, num_outputs: int | None = None, outputs: int = 1
) -> tuple[Tensor, ...]:
    """Into parts of the given lengths, or of equal length, the last one shorter where they do not divide."""
    if split is None:
        return x.split_with_sizes(_equal_parts(x.shape[axis], num_outputs or outputs), axis)
    return x.split_with_sizes(split, axis)


def _equal_parts(length: int, count: int) -> list[int]:
    part = -(-length // count)
    return [min(part, length - start) for start in range(0, length, part)]


@op("Slice", since=10, gradient="integers")
def slice_(
    data: Tensor, starts: list[int], ends: list[int], axes: list[int] | None = None, steps: list[int] | None = None
) -> Tensor:
    axes = list(range(len(starts))) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        length = data.shape[axis]
        first, stop, stride = slice(start, end, step).indices(length)
        if stride < 0:
            picked = torch.arange(first, stop, stride, device=data.device)
            data = data.index_select(axis, picked)
        else:
            index = [slice(None)] * (axis % data.dim()) + [slice(first, max(stop, first), stride)]
            data = data[tuple(index)]
    return data


@op("Slice", gradient="integers")
def slice_attributes(data: Tensor, starts: list[int], ends: list[int], axes: list[int] | None = None) -> Tensor:
    return slice_(data, starts, ends, axes)


@op("Gather", gradient="integers")
def gather(data: Tensor, indices: Tensor, axis: int = 0) -> Tensor:
    axis %= data.dim()
    picked = data.index_select(axis, _positive(indices, data.shape[axis]).flatten())
    return picked.reshape((*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]))


@op("GatherElements", gradient="integers")
def gather_elements(data: Tensor, indices: Tensor, axis: int = 0) -> Tensor:
    return data.gather(axis, _positive(indices, data.shape[axis]))


@op("GatherND", gradient="integers")
def gather_nd(data: Tensor, indices: Tensor, batch_dims: int = 0) -> Tensor:
    batch = data.shape[:batch_dims]
    data = data.reshape(batch.numel(), *data.shape[batch_dims:])
    indices = indices.reshape(batch.numel(), *indices.shape[batch_dims:]).long()
    rows = torch.arange(data.shape[0], device=data.device).reshape(-1, *[1] * (indices.dim() - 2))
    picked = data[(rows, *indices.unbind(-1))]
    return picked.reshape((*batch, *picked.shape[1:]))


def _positive(indices: Tensor, length: int) -> Tensor:
    """Indices counted from the front, as int64."""
    indices = indices.long()
    return torch.where(indices < 0, indices + length, indices)


@op("ScatterElements", "Scatter")
def scatter_elements(data: Tensor, indices: Tensor, updates: Tensor, axis: int = 0, reduction: str = "none") -> Tensor:
    indices = _positive(indices, data.shape[axis])
    if reduction == "none":
        return data.scatter(axis, indices, updates)
    return data.scatter_reduce(axis, indices, updates, _REDUCTIONS[reduction])


@op("ScatterND")
def scatter_nd(data: Tensor, indices: Tensor, updates: Tensor, reduction: str = "none") -> Tensor:
    depth = indices.shape[-1]
    strides = torch.tensor([data.shape[axis + 1 : depth].numel() for axis in range(depth)], device=data.device)
    lengths = torch.tensor(data.shape[:depth], device=data.device)
    rows = (torch.where(indices < 0, indices + lengths, indices) * strides).sum(-1).flatten()
    flat = data.reshape(data.shape[:depth].numel(), -1)
    rows = rows.unsqueeze(1).expand(-1, flat.shape[1])
    return scatter_elements(flat, rows, updates.reshape(rows.shape), 0, reduction).reshape(data.shape)


_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@op("Expand", gradient="integers")
def expand(x: Tensor, shape: list[int]) -> Tensor:
    return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(shape)))


@op("Tile", since=6, gradient="integers")
def tile(x: Tensor, repeats: list[int]) -> Tensor:
    return x.repeat(repeats)


@op("DepthToSpace", gradient="integers")
def depth_to_space(x: Tensor, blocksize: int, mode: str = "DCR") -> Tensor:
    n, c, h, w = x.shape
    depth = c // blocksize**2
    if mode == "DCR":
        x = x.reshape(n, blocksize, blocksize, depth, h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        x = x.reshape(n, depth, blocksize, blocksize, h, w).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(n, depth, h * blocksize, w * blocksize)


@op("SpaceToDepth", gradient="integers")
def space_to_depth(x: Tensor, blocksize: int, mode: str = "DCR") -> Tensor:
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    x = x.permute(0, 3, 5, 1, 2, 4) if mode == "DCR" else x.permute(0, 1, 3, 5, 2, 4)
    return x.reshape(n, c * blocksize**2, h // blocksize, w // blocksize)


@op("Pad", since=11, gradient="integers")
def pad(
    data: Tensor,
    pads: list[int],
    constant_value: Tensor | None = None,
    axes: list[int] | None = None,
    mode: str = "constant",
) -> Tensor:
    """Negative amounts crop."""
    rank = data.dim()
    before, after = [0] * rank, [0] * rank
    for position, axis in enumerate(range(rank) if axes is None else axes):
        before[axis], after[axis] = pads[position], pads[position + len(pads) // 2]
    if mode == "constant":
        amounts = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
        value = 0 if constant_value is None else constant_value.item()
        return F.pad(data, amounts, value=value)
    for axis in range(rank):
        if before[axis] or after[axis]:
            data = data.index_select(
                axis, _padded_indices(data.shape[axis], before[axis], after[axis], mode, data.device)
            )
    return data


@op("Pad", gradient="integers")
def pad_attributes(data: Tensor, pads: list[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    return pad(data, pads, torch.tensor(value), mode=mode)


def _padded_indices(length: int, before: int, after: int, mode: str, device: torch.device) -> Tensor:
    index = torch.arange(-before, length + after, device=device)
    if mode == "edge":
        return index.clamp(0, length - 1)
    if mode == "wrap":
        return index % length
    if mode != "reflect":
        raise ValueError(f"mode={mode} is not one of constant, reflect, edge and wrap")
    period = max(2 * (length - 1), 1)
    return (index % period - (length - 1)).abs().neg() + (length - 1)


@op("Trilu", gradient="integers")
def trilu(x: Tensor, k: int = 0, upper: int = 1) -> Tensor:
    return torch.triu(x, k) if upper else torch.tril(x, k)


@op("OneHot", gradient="none")
def one_hot(indices: Tensor, depth: int, values: Tensor, axis: int = -1) -> Tensor:
    axis = axis % (indices.dim() + 1)
    classes = torch.arange(depth, device=indices.device).reshape(-1, *[1] * (indices.dim() - axis))
    hot = indices.unsqueeze(axis)
    return torch.where((hot == classes) | (hot + depth == classes), values[1], values[0])


@op("NonZero", gradient="none")
def non_zero(x: Tensor) -> Tensor:
    return x.nonzero().T


@op("Compress")
def compress(x: Tensor, condition: Tensor, axis: int | None = None) -> Tensor:
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    return x.index_select(axis, condition.nonzero().flatten())


@op("ReverseSequence", gradient="integers")
def reverse_sequence(x: Tensor, sequence_lens: Tensor, batch_axis: int = 1, time_axis: int = 0) -> Tensor:
    moved = x.movedim((time_axis, batch_axis), (0, 1))
    time = torch.arange(moved.shape[0], device=x.device)[:, None]
    index = torch.where(time < sequence_lens, sequence_lens - 1 - time, time)
    picked = moved[index, torch.arange(moved.shape[1], device=x.device)]
    return picked.movedim((0, 1), (time_axis, batch_axis))


@op("BitCast", gradient="none")
def bit_cast(x: Tensor, to: torch.dtype) -> Tensor:
    return x.view(to)
