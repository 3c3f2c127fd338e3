"""Convolutions in one to three spatial axes."""

import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.ops.windows import pad_spatial, padding
from nc_scan.graph.registry import op

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@op("Conv", ignores=("kernel_shape",))
def conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    rank = x.dim() - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    before, after = padding(auto_pad, pads, x.shape[2:], w.shape[2:], strides, dilations)
    if before != after:
        x, before = pad_spatial(x, before, after), [0] * rank
    return _CONVOLUTIONS[rank](x, w, b, strides, before, dilations, group)


@op("ConvTranspose", ignores=("kernel_shape",))
def conv_transpose(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    output_padding: list[int] | None = None,
    output_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    rank = x.dim() - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    extra = output_padding or [0] * rank
    full = _TRANSPOSED[rank](x, w, None, strides, 0, 0, group, dilations)
    length = [size + more for size, more in zip(full.shape[2:], extra, strict=True)]
    if output_shape is None and auto_pad.startswith("SAME"):
        output_shape = [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
    if output_shape:
        total = [size - wanted for size, wanted in zip(length, output_shape[-rank:], strict=True)]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        before, after = (less, more) if auto_pad == "SAME_UPPER" else (more, less)
    else:
        before, after = padding(auto_pad, pads, x.shape[2:], w.shape[2:], strides, dilations)
    y = pad_spatial(full, [-b for b in before], [e - a for e, a in zip(extra, after, strict=True)])
    return y if b is None else y + b.reshape(-1, *[1] * rank)
