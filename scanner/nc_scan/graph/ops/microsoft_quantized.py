"""Operators of com.microsoft that onnxruntime's quantiser writes, with gradients as in `quantization`."""

import torch
from torch import Tensor

from nc_scan.graph.ops.pooling import average_pool, global_average_pool, max_pool
from nc_scan.graph.ops.quantization import centre, dynamic_quantize_linear, matmul_integer, qlinear_conv, round_to
from nc_scan.graph.registry import MICROSOFT, op


def _real(x: Tensor, scale: Tensor, zero_point: Tensor | None) -> Tensor:
    """The real numbers that quantised values stand for, one scale for all."""
    return centre(x, zero_point) * scale


def _quantized(x: Tensor, scale: Tensor, zero_point: Tensor | None) -> Tensor:
    return round_to(x / scale, zero_point)


@op("QLinearConv", domain=MICROSOFT, ignores=("kernel_shape",), gradient="integers")
def qlinear_conv_in_layout(
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
    channels_last: int = 0,
    dilations: list[int] | None = None,
    group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Weights stay (out, in, height, width) where the images have their channels last."""
    x = x.movedim(-1, 1) if channels_last else x
    scales = (x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point)
    y = qlinear_conv(x, *scales, b, auto_pad, dilations, group, pads, strides)
    return y.movedim(1, -1) if channels_last else y


@op("NhwcMaxPool", domain=MICROSOFT, gradient="integers")
def nhwc_max_pool(
    x: Tensor,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    y = max_pool(x.movedim(-1, 1), kernel_shape, auto_pad, ceil_mode, dilations, pads, strides=strides)
    assert isinstance(y, Tensor)
    return y.movedim(1, -1)


@op("QLinearAdd", domain=MICROSOFT, gradient="integers")
def qlinear_add(
    a: Tensor,
    a_scale: Tensor,
    a_zero_point: Tensor | None,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor | None,
    c_scale: Tensor,
    c_zero_point: Tensor | None = None,
) -> Tensor:
    total = _real(a, a_scale, a_zero_point) + _real(b, b_scale, b_zero_point)
    return _quantized(total, c_scale, c_zero_point)


@op("QLinearMul", domain=MICROSOFT, gradient="integers")
def qlinear_mul(
    a: Tensor,
    a_scale: Tensor,
    a_zero_point: Tensor | None,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor | None,
    c_scale: Tensor,
    c_zero_point: Tensor | None = None,
) -> Tensor:
    product = _real(a, a_scale, a_zero_point) * _real(b, b_scale, b_zero_point)
    return _quantized(product, c_scale, c_zero_point)


@op("QLinearSigmoid", domain=MICROSOFT, gradient="integers")
def qlinear_sigmoid(
    x: Tensor, x_scale: Tensor, x_zero_point: Tensor | None, y_scale: Tensor, y_zero_point: Tensor | None = None
) -> Tensor:
    return _quantized(torch.sigmoid(_real(x, x_scale, x_zero_point)), y_scale, y_zero_point)


@op("QLinearLeakyRelu", domain=MICROSOFT, gradient="integers")
def qlinear_leaky_relu(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor | None,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    alpha: float = 0.01,
) -> Tensor:
    real = _real(x, x_scale, x_zero_point)
    return _quantized(torch.nn.functional.leaky_relu(real, alpha), y_scale, y_zero_point)


@op("QLinearSoftmax", domain=MICROSOFT, gradient="integers")
def qlinear_softmax(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor | None,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    axis: int = -1,
    opset: int = 13,
) -> Tensor:
    real = _real(x, x_scale, x_zero_point)
    # Before version 13 Softmax takes the axes from `axis` on together.
    y = torch.softmax(real, axis) if opset >= 13 else torch.softmax(real.flatten(axis % x.dim()), -1).reshape(x.shape)
    return _quantized(y, y_scale, y_zero_point)


@op("QLinearGlobalAveragePool", domain=MICROSOFT, gradient="integers")
def qlinear_global_average_pool(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor | None,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    channels_last: int = 0,
) -> Tensor:
    real = _real(x, x_scale, x_zero_point)
    y = real.mean(list(range(1, x.dim() - 1)), keepdim=True) if channels_last else global_average_pool(real)
    return _quantized(y, y_scale, y_zero_point)


@op("QLinearAveragePool", domain=MICROSOFT, gradient="integers")
def qlinear_average_pool(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor | None,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    real = _real(x, x_scale, x_zero_point)
    real = real.movedim(-1, 1) if channels_last else real
    y = average_pool(real, kernel_shape, auto_pad, ceil_mode, count_include_pad, None, pads, strides)
    return _quantized(y.movedim(1, -1) if channels_last else y, y_scale, y_zero_point)


@op("QLinearReduceMean", domain=MICROSOFT, gradient="integers")
def qlinear_reduce_mean(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor | None,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    axes: list[int] | None = None,
    keepdims: int = 1,
) -> Tensor:
    real = _real(x, x_scale, x_zero_point)
    return _quantized(real.mean(axes or list(range(x.dim())), keepdim=bool(keepdims)), y_scale, y_zero_point)


@op("QLinearConcat", domain=MICROSOFT, gradient="integers")
def qlinear_concat(y_scale: Tensor, y_zero_point: Tensor, *inputs: Tensor, axis: int) -> Tensor:
    """The inputs are triples of values, scale and zero point."""
    triples = zip(inputs[::3], inputs[1::3], inputs[2::3], strict=True)
    return _quantized(torch.cat([_real(*triple) for triple in triples], axis), y_scale, y_zero_point)


@op("QLinearWhere", domain=MICROSOFT, gradient="integers")
def qlinear_where(
    condition: Tensor,
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor,
    y: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
    z_scale: Tensor,
    z_zero_point: Tensor,
) -> Tensor:
    chosen = torch.where(condition, _real(x, x_scale, x_zero_point), _real(y, y_scale, y_zero_point))
    return _quantized(chosen, z_scale, z_zero_point)


@op("QGemm", domain=MICROSOFT, gradient="integers")
def qgemm(
    a: Tensor,
    a_scale: Tensor,
    a_zero_point: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor,
    c: Tensor | None = None,
    y_scale: Tensor | None = None,
    y_zero_point: Tensor | None = None,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    """The sum stays floating point where no output scale is given. c has the scale alpha * a_scale * b_scale."""
    if transB and b_zero_point.numel() > 1:
        b_zero_point = b_zero_point.unsqueeze(-1)
    a, b = centre(a, a_zero_point), centre(b, b_zero_point)
    total = (a.T if transA else a) @ (b.T if transB else b)
    total = total if c is None else total + c.to(total.dtype)
    real = alpha * total * a_scale * b_scale
    return real if y_scale is None else _quantized(real, y_scale, y_zero_point)


@op("MatMulIntegerToFloat", domain=MICROSOFT, gradient="dequantizes")
def matmul_integer_to_float(
    a: Tensor,
    b: Tensor,
    a_scale: Tensor,
    b_scale: Tensor,
    a_zero_point: Tensor | None = None,
    b_zero_point: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    y = matmul_integer(a, b, a_zero_point, b_zero_point) * a_scale * b_scale
    return y if bias is None else y + bias


@op("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(
    a: Tensor, b: Tensor, b_scale: Tensor, b_zero_point: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    quantized, scale, zero_point = dynamic_quantize_linear(a)
    return matmul_integer_to_float(quantized, b, scale, b_scale, zero_point, b_zero_point, bias)
