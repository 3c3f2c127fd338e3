"""Pooling over sliding windows and over whole planes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.ops.windows import pad_spatial, padding
from nc_scan.graph.registry import op

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _overhang(
    size: Sequence[int],
    before: list[int],
    after: list[int],
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    ceil_mode: int,
) -> list[int]:
    """How far the last window along each axis reaches beyond the padded input where output sizes are rounded up."""
    if not ceil_mode:
        return [0] * len(kernel)
    overhang = []
    for axis, extent in enumerate(kernel):
        padded = size[axis] + before[axis] + after[axis]
        reach = (extent - 1) * dilations[axis] + 1
        steps = -(-(padded - reach) // strides[axis])
        if steps * strides[axis] >= size[axis] + before[axis]:  # no window starts in the padding after the input
            steps -= 1
        overhang.append(max(steps * strides[axis] + reach - padded, 0))
    return overhang


@op("MaxPool", gradient="integers")
def max_pool(
    x: Tensor,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    storage_order: int = 0,
    strides: list[int] | None = None,
    outputs: int = 1,
) -> Tensor | tuple[Tensor, Tensor]:
    rank = len(kernel_shape)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    before, after = padding(auto_pad, pads, x.shape[2:], kernel_shape, strides, dilations)
    overhang = _overhang(x.shape[2:], before, after, kernel_shape, strides, dilations, ceil_mode)
    after = [a + more for a, more in zip(after, overhang, strict=True)]
    lowest = -float("inf") if x.is_floating_point() else float(torch.iinfo(x.dtype).min)
    values = x if x.is_floating_point() else x.to(torch.float32)
    if outputs == 1:
        symmetric = before == after and all(2 * b <= k for b, k in zip(before, kernel_shape, strict=True))
        inside = before if symmetric else [0] * rank
        values = values if symmetric else pad_spatial(values, before, after, lowest)
        return _MAXIMUM[rank](values, kernel_shape, strides, inside, dilations).to(x.dtype)
    padded = pad_spatial(values, before, after, lowest)
    y, flat = _MAXIMUM[rank](padded, kernel_shape, strides, 0, dilations, return_indices=True)
    return y.to(x.dtype), _indices(flat, x, before, padded, storage_order)


def _indices(flat: Tensor, x: Tensor, before: list[int], padded: Tensor, storage_order: int) -> Tensor:
    """Indices into the padded planes as ONNX has them: into all of x, its planes by rows or (1) by columns."""
    coordinates = [c - b for c, b in zip(torch.unravel_index(flat, padded.shape[2:]), before, strict=True)]
    axes = list(zip(coordinates, x.shape[2:], strict=True))
    index = torch.zeros_like(flat)
    for coordinate, length in reversed(axes) if storage_order else axes:
        index = index * length + coordinate
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(*x.shape[:2], *[1] * len(axes))
    return index + planes * x[0, 0].numel()


@op("AveragePool")
def average_pool(
    x: Tensor,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    rank = len(kernel_shape)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    before, after = padding(auto_pad, pads, x.shape[2:], kernel_shape, strides, dilations)
    if not any(before) and not any(after) and not ceil_mode and dilations == [1] * rank:
        return _AVERAGE[rank](x, kernel_shape, strides)
    overhang = _overhang(x.shape[2:], before, after, kernel_shape, strides, dilations, ceil_mode)
    counted = x.new_ones(1, 1, *x.shape[2:])
    counted = pad_spatial(counted, before, after, float(count_include_pad))
    windows = (kernel_shape, strides, dilations)
    total = _window_sum(pad_spatial(pad_spatial(x, before, after), [0] * rank, overhang), *windows)
    return total / _window_sum(pad_spatial(counted, [0] * rank, overhang), *windows)


def _window_sum(x: Tensor, kernel: list[int], strides: list[int], dilations: list[int]) -> Tensor:
    """Sums over sliding windows, channel by channel."""
    channels = x.shape[1]
    ones = x.new_ones(channels, 1, *kernel)
    return _CONVOLUTIONS[len(kernel)](x, ones, None, strides, 0, dilations, channels)


@op("LpPool", since=2)
def lp_pool(
    x: Tensor,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    p: int = 2,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    rank = len(kernel_shape)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    before, after = padding(auto_pad, pads, x.shape[2:], kernel_shape, strides, dilations)
    overhang = _overhang(x.shape[2:], before, after, kernel_shape, strides, dilations, ceil_mode)
    after = [a + more for a, more in zip(after, overhang, strict=True)]
    powers = pad_spatial(x.abs() ** p, before, after)
    return _window_sum(powers, kernel_shape, strides, dilations) ** (1 / p)


@op("GlobalAveragePool")
def global_average_pool(x: Tensor) -> Tensor:
    return x.mean(_spatial(x), keepdim=True)


@op("GlobalMaxPool")
def global_max_pool(x: Tensor) -> Tensor:
    return x.amax(_spatial(x), keepdim=True)


@op("GlobalLpPool", since=2)
def global_lp_pool(x: Tensor, p: int = 2) -> Tensor:
    return (x.abs() ** p).sum(_spatial(x), keepdim=True) ** (1 / p)


def _spatial(x: Tensor) -> list[int]:
    return list(range(2, x.dim()))


@op("MaxUnpool", since=9)
def max_unpool(
    x: Tensor,
    indices: Tensor,
    output_shape: list[int] | None = None,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Puts values back to where MaxPool took them from; the indices count through the whole natural output."""
    kernel = kernel_shape or []
    rank = len(kernel)
    strides, pads = strides or [1] * rank, pads or [0] * 2 * rank
    natural = [
        (size - 1) * stride + extent - begin - end
        for size, stride, extent, begin, end in zip(x.shape[2:], strides, kernel, pads[:rank], pads[rank:], strict=True)
    ]
    shape = [*x.shape[:2], *natural]
    flat = x.new_zeros(torch.Size(shape).numel())
    y = flat.scatter(0, indices.flatten(), x.flatten()).reshape(shape)
    if output_shape is None:
        return y
    return pad_spatial(y, [0] * rank, [wanted - size for wanted, size in zip(output_shape[2:], natural, strict=True)])


@op("MaxRoiPool")
def max_roi_pool(x: Tensor, rois: Tensor, pooled_shape: list[int], spatial_scale: float = 1.0) -> Tensor:
    """The maximum in each cell of a grid over each region (image, x1, y1, x2, y2): (regions, C, *pooled_shape)."""
    regions = []
    for image, *corners in rois.tolist():
        x1, y1, x2, y2 = (round(corner * spatial_scale) for corner in corners)
        crop = x[int(image), :, y1 : max(y2, y1) + 1, x1 : max(x2, x1) + 1]
        regions.append(F.adaptive_max_pool2d(crop, pooled_shape))
    return torch.stack(regions)
