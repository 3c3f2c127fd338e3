"""Sampling from images at places that are themselves computed."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.registry import op

_SAMPLING = {
    "bilinear": "bilinear",
    "linear": "bilinear",
    "nearest": "nearest",
    "bicubic": "bicubic",
    "cubic": "bicubic",
}


@op("GridSample")
def grid_sample(
    x: Tensor, grid: Tensor, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> Tensor:
    return F.grid_sample(x, grid, _SAMPLING[mode], padding_mode, bool(align_corners))


@op("Col2Im")
def col2im(
    x: Tensor,
    image_shape: list[int],
    block_shape: list[int],
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Blocks (n, c * block, blocks) are added up where they overlap in the image: a transposed convolution."""
    rank = len(block_shape)
    pads, strides, dilations = pads or [0] * 2 * rank, strides or [1] * rank, dilations or [1] * rank
    extent = [(block - 1) * dilation + 1 for block, dilation in zip(block_shape, dilations, strict=True)]
    padded = [size + pads[axis] + pads[axis + rank] for axis, size in enumerate(image_shape)]
    counts = [(p - e) // s + 1 for p, e, s in zip(padded, extent, strides, strict=True)]
    size = torch.Size(block_shape).numel()
    channels = x.shape[1] // size
    blocks = x.reshape(x.shape[0], channels, *block_shape, *counts)
    image = x.new_zeros(x.shape[0], channels, *padded)
    for index in torch.cartesian_prod(*(torch.arange(block) for block in block_shape)).reshape(-1, rank).tolist():
        window: tuple[slice, ...] = tuple(
            slice(i * d, i * d + (n - 1) * s + 1, s)
            for i, d, n, s in zip(index, dilations, counts, strides, strict=True)
        )
        places = torch.zeros_like(image)
        places[(slice(None), slice(None), *window)] = blocks[(slice(None), slice(None), *index)]
        image = image + places
    crop = tuple(slice(pads[axis], pads[axis] + length) for axis, length in enumerate(image_shape))
    return image[(slice(None), slice(None), *crop)]


@op("DeformConv", ignores=("kernel_shape",))
def deform_conv(
    x: Tensor,
    w: Tensor,
    offset: Tensor,
    b: Tensor | None = None,
    mask: Tensor | None = None,
    dilations: list[int] | None = None,
    group: int = 1,
    offset_group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Every sample of the kernel is taken at its place plus an offset, bilinearly: (n, groups * kernel * 2, oh, ow)."""
    n, channels, height, width = x.shape
    kh, kw = w.shape[2:]
    oh, ow = offset.shape[2:]
    sy, sx = strides or (1, 1)
    dy, dx = dilations or (1, 1)
    top, left = (pads or (0, 0, 0, 0))[:2]
    offset = offset.reshape(n, offset_group, kh, kw, 2, oh, ow)
    steps = [torch.arange(count, device=x.device, dtype=x.dtype) for count in (kh, kw, oh, ow)]
    row = steps[0].reshape(kh, 1, 1, 1) * dy + steps[2].reshape(oh, 1) * sy - top + offset[:, :, :, :, 0]
    column = steps[1].reshape(kw, 1, 1) * dx + steps[3] * sx - left + offset[:, :, :, :, 1]
    # align_corners makes -1 and 1 the centres of the first and the last pixel.
    grid = torch.stack([2 * column / max(width - 1, 1) - 1, 2 * row / max(height - 1, 1) - 1], -1)
    images = x.reshape(n * offset_group, channels // offset_group, height, width)
    grid = grid.reshape(n * offset_group, kh * kw * oh, ow, 2)
    samples = F.grid_sample(images, grid, align_corners=True)
    samples = samples.reshape(n, offset_group, channels // offset_group, kh * kw, oh, ow)
    if mask is not None:
        samples = samples * mask.reshape(n, offset_group, 1, kh * kw, oh, ow)
    columns = samples.reshape(n, group, channels // group * kh * kw, oh * ow)
    y = (w.reshape(group, w.shape[0] // group, -1) @ columns).reshape(n, w.shape[0], oh, ow)
    return y if b is None else y + b.reshape(-1, 1, 1)
