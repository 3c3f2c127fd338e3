"""Operators of com.microsoft.nchwc, which onnxruntime's optimiser writes at its default level.

They keep channels in blocks, (n, C / block, h, w, block) in memory under the shape (n, C, h, w). Here values stay in
the plain order with their channels padded to whole blocks, so that operators between these nodes need no change.
"""

import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.ops.convolution import conv
from nc_scan.graph.ops.microsoft import activate
from nc_scan.graph.ops.pooling import average_pool, global_average_pool, global_max_pool, max_pool
from nc_scan.graph.ops.resize import resize
from nc_scan.graph.registry import NCHWC, op
from nc_scan.graph.runtime import channel_block

op("MaxPool", domain=NCHWC, gradient="integers")(max_pool)
op("AveragePool", domain=NCHWC)(average_pool)
op("GlobalMaxPool", domain=NCHWC)(global_max_pool)
op("GlobalAveragePool", domain=NCHWC)(global_average_pool)


@op("ReorderInput", domain=NCHWC)
def reorder_input(x: Tensor, channels_last: int = 0) -> Tensor:
    x = x.movedim(-1, 1) if channels_last else x
    return F.pad(x, [0, 0] * (x.dim() - 2) + [0, -x.shape[1] % channel_block()])


@op("ReorderOutput", domain=NCHWC)
def reorder_output(x: Tensor, channels: int, channels_last: int = 0) -> Tensor:
    x = x.narrow(1, 0, channels)
    return x.movedim(1, -1) if channels_last else x


@op("Conv", domain=NCHWC, ignores=("kernel_shape",))
def nchwc_conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    sum: Tensor | None = None,
    activation: str = "",
    activation_params: list[float] | None = None,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    y = conv(x, _plain(w, group), b, auto_pad, dilations, group, pads, strides)
    return activate(y if sum is None else y + sum, activation, activation_params)


def _plain(w: Tensor, group: int) -> Tensor:
    """Weights (O, I, kh, kw) out of their blocks, which depthwise and narrow convolutions have for O alone."""
    block = channel_block()
    inputs, *kernel = w.shape[1:]
    if (inputs == 1 and group > 1) or (group == 1 and inputs < block):
        return w.reshape(-1, inputs, *kernel, block).movedim(-1, 1).reshape(w.shape)
    return w.reshape(-1, inputs // block, *kernel, block, block).permute(0, 5, 1, 4, 2, 3).reshape(w.shape)


@op("Upsample", domain=NCHWC, gradient="integers")
def nchwc_upsample(
    x: Tensor,
    scales: list[int] | None = None,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "asymmetric",
) -> Tensor:
    factors = [float(scale) for scale in scales or [1] * x.dim()]
    return resize(
        x,
        None,
        factors,
        mode=mode,
        coordinate_transformation_mode=coordinate_transformation_mode,
        nearest_mode="floor",
    )
