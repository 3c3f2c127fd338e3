"""Quantisation with straight-through gradients.

Between QuantizeLinear and DequantizeLinear values are integers held as floating point. Rounding and saturation pass the
gradient on as if they were not there, so that it points the way the float model's does. Only where the zero point is
the least value of its type does a value below it stop the gradient: there the quantiser has left a Relu out, because
saturation does its work. A zero point has the exact integer type of its values, from which their range follows.
"""

import torch
from torch import Tensor

from nc_scan.graph.ops.convolution import conv
from nc_scan.graph.registry import MICROSOFT, op

_RANGES = {
    torch.uint8: (0, 255),
    torch.int8: (-128, 127),
    torch.int16: (-32768, 32767),
    torch.int32: (0, 65535),  # uint16, which is carried in int32
}


def round_to(x: Tensor, zero_point: Tensor | None, dtype: torch.dtype | None = None) -> Tensor:
    """x + zero point, rounded half to even and saturated to the zero point's type (uint8 by default)."""
    dtype = dtype or (torch.uint8 if zero_point is None else zero_point.dtype)
    if dtype.is_floating_point and dtype.itemsize == 1:
        largest = torch.finfo(dtype).max
        return x + (x.clamp(-largest, largest).to(dtype).to(x.dtype) - x).detach()
    if dtype not in _RANGES:
        raise ValueError(f"quantisation to {dtype} is not supported")
    low, high = _RANGES[dtype]
    offset = x.new_zeros(()) if zero_point is None else zero_point.to(x.dtype)
    through = torch.where(offset == low, x.relu(), x)
    return through + ((torch.round(x) + offset).clamp(low, high) - through).detach()


def along(parameter: Tensor, x: Tensor, axis: int, block_size: int = 0) -> Tensor:
    """A scale or zero point made to broadcast against x: one value, one per index of `axis`, or one per block of it."""
    if block_size:
        return parameter.repeat_interleave(block_size, axis).narrow(axis, 0, x.shape[axis])
    if parameter.numel() == 1:
        return parameter.reshape(())
    return parameter.reshape(-1, *[1] * (x.dim() - axis % x.dim() - 1))


@op("QuantizeLinear", ignores=("saturate", "precision"), gradient="quantizes")
@op("QuantizeLinear", domain=MICROSOFT, gradient="quantizes")
def quantize_linear(
    x: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: torch.dtype | None = None,
) -> Tensor:
    x = x.to(y_scale.dtype)
    zero_point = None if y_zero_point is None else along(y_zero_point, x, axis, block_size)
    return round_to(x / along(y_scale, x, axis, block_size), zero_point, output_dtype)


@op("DequantizeLinear", gradient="dequantizes")
@op("DequantizeLinear", domain=MICROSOFT, gradient="dequantizes")
def dequantize_linear(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor | None = None,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: torch.dtype | None = None,
) -> Tensor:
    scale = along(x_scale, x, axis, block_size)
    centred = x.to(scale.dtype)
    if x_zero_point is not None:
        centred = centred - along(x_zero_point, x, axis, block_size).to(scale.dtype)
    return (centred * scale).to(output_dtype or scale.dtype)


@op("DynamicQuantizeLinear", gradient="quantizes")
def dynamic_quantize_linear(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The scale follows the values' range, without a gradient of its own."""
    low, high = x.detach().min().clamp(max=0), x.detach().max().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, 1, scale)
    zero_point = torch.round((-low / scale).clamp(0, 255)).to(torch.uint8)
    return round_to(x / scale, zero_point), scale, zero_point


def centre(x: Tensor, zero_point: Tensor | None) -> Tensor:
    """Quantised values less their zero point, as floating point."""
    x = x if x.is_floating_point() else x.to(torch.float32)
    return x if zero_point is None else x - zero_point.to(x.dtype)


def _rows(parameter: Tensor) -> Tensor:
    return parameter if parameter.numel() == 1 else parameter.unsqueeze(-1)


def _channels(parameter: Tensor, rank: int) -> Tensor:
    return parameter if parameter.numel() == 1 else parameter.reshape(-1, *[1] * (rank - 2))


@op("MatMulInteger", gradient="integers")
def matmul_integer(
    a: Tensor, b: Tensor, a_zero_point: Tensor | None = None, b_zero_point: Tensor | None = None
) -> Tensor:
    centred = centre(a, None if a_zero_point is None else _rows(a_zero_point))
    return centred @ centre(b, b_zero_point).to(centred.dtype)


@op("ConvInteger", ignores=("kernel_shape",), gradient="integers")
def conv_integer(
    x: Tensor,
    w: Tensor,
    x_zero_point: Tensor | None = None,
    w_zero_point: Tensor | None = None,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    if w_zero_point is not None and w_zero_point.numel() > 1:
        w_zero_point = w_zero_point.reshape(-1, *[1] * (w.dim() - 1))
    x, w = centre(x, x_zero_point), centre(w, w_zero_point)
    return conv(x, w.to(x.dtype), None, auto_pad, dilations, group, pads, strides)


@op("QLinearMatMul", gradient="integers")
def qlinear_matmul(
    a: Tensor,
    a_scale: Tensor,
    a_zero_point: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
) -> Tensor:
    product = matmul_integer(a, b, a_zero_point, b_zero_point)
    scale = _rows(a_scale) * b_scale / _rows(y_scale)
    return round_to(product * scale.to(product.dtype), _rows(y_zero_point))


@op("QLinearConv", ignores=("kernel_shape",), gradient="integers")
def qlinear_conv(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor,
    w: Tensor,
    w_scale: Tensor,
    w_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
    b: Tensor | None = None,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    total = conv_integer(x, w, x_zero_point, w_zero_point, auto_pad, dilations, group, pads, strides)
    if b is not None:
        total = total + b.to(total.dtype).reshape(-1, *[1] * (x.dim() - 2))
    return round_to(total * _channels(x_scale * w_scale / y_scale, x.dim()).to(total.dtype), y_zero_point)
