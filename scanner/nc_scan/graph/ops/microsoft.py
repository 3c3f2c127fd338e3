"""Operators of com.microsoft that onnxruntime's optimiser writes: fusions of standard ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.ops.attention import attention as onnx_attention
from nc_scan.graph.ops.convolution import conv
from nc_scan.graph.ops.linear import gemm
from nc_scan.graph.registry import MICROSOFT, ONNX, op


def activate(x: Tensor, name: str, parameters: list[float] | None) -> Tensor:
    """The activation that a fused operator ends with; `parameters` are its attributes in order."""
    values = parameters or []
    if name == "":
        return x
    if name == "Relu":
        return torch.relu(x)
    if name == "Tanh":
        return torch.tanh(x)
    if name == "Sigmoid":
        return torch.sigmoid(x)
    if name == "LeakyRelu":
        return F.leaky_relu(x, values[0] if values else 0.01)
    if name == "Clip":
        return torch.clamp(x, values[0], values[1])
    if name == "HardSwish":
        return F.hardswish(x)
    if name == "HardSigmoid":
        alpha, beta = values or (0.2, 0.5)
        return torch.clamp(alpha * x + beta, 0, 1)
    raise ValueError(f"the fused activation {name} is not supported")


@op("FusedConv", domain=MICROSOFT, ignores=("kernel_shape",))
def fused_conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    z: Tensor | None = None,
    activation: str = "",
    activation_params: list[float] | None = None,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """A convolution, an optional sum with z, an activation."""
    y = conv(x, w, b, auto_pad, dilations, group, pads, strides)
    return activate(y if z is None else y + z, activation, activation_params)


@op("FusedGemm", domain=MICROSOFT)
def fused_gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    activation: str = "",
    activation_alpha: float | None = None,
    activation_beta: float | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    parameters = [value for value in (activation_alpha, activation_beta) if value is not None]
    return activate(gemm(a, b, c, alpha, beta, transA, transB), activation, parameters)


@op("FusedMatMul", domain=MICROSOFT, only={"transBatchA": 0, "transBatchB": 0})
def fused_matmul(a: Tensor, b: Tensor, alpha: float = 1.0, transA: int = 0, transB: int = 0) -> Tensor:
    a = a.transpose(-1, -2) if transA and a.dim() > 1 else a
    b = b.transpose(-1, -2) if transB and b.dim() > 1 else b
    return alpha * torch.matmul(a, b)


@op("Gelu", domain=MICROSOFT)
def gelu(x: Tensor) -> Tensor:
    return F.gelu(x)


@op("BiasGelu", domain=MICROSOFT)
def bias_gelu(a: Tensor, b: Tensor) -> Tensor:
    return F.gelu(a + b)


@op("FastGelu", domain=MICROSOFT)
def fast_gelu(x: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.gelu(x if bias is None else x + bias, approximate="tanh")


@op("QuickGelu", domain=MICROSOFT)
def quick_gelu(x: Tensor, alpha: float = 1.702) -> Tensor:
    return x * torch.sigmoid(alpha * x)


@op("BiasSoftmax", domain=MICROSOFT, ignores=("is_inner_broadcast",))
def bias_softmax(data: Tensor, bias: Tensor, axis: int = 1) -> Tensor:
    return torch.softmax((data + bias).flatten(axis % data.dim()), -1).reshape(data.shape)


@op("BiasAdd", domain=MICROSOFT)
def bias_add(x: Tensor, bias: Tensor, skip: Tensor) -> Tensor:
    return x + bias + skip


@op("Inverse", domain=MICROSOFT)
def inverse(x: Tensor) -> Tensor:
    result: Tensor = torch.linalg.inv(x)
    return result


# onnxruntime registers this one in the default domain too.
@op("SimplifiedLayerNormalization", domain=ONNX, ignores=("stash_type",))
@op("SimplifiedLayerNormalization", domain=MICROSOFT, ignores=("stash_type",))
def simplified_layer_normalization(x: Tensor, scale: Tensor, axis: int = -1, epsilon: float = 1e-5) -> Tensor:
    axes = list(range(axis % x.dim(), x.dim()))
    return x * (x.square().mean(axes, keepdim=True) + epsilon).rsqrt() * scale


@op("SkipLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(
    x: Tensor,
    skip: Tensor,
    gamma: Tensor,
    beta: Tensor | None = None,
    bias: Tensor | None = None,
    epsilon: float = 1e-12,
    outputs: int = 1,
) -> tuple[Tensor | None, ...]:
    """The normalised sum, and as the fourth output the sum itself."""
    total = x + skip if bias is None else x + skip + bias
    y = F.layer_norm(total, total.shape[-1:], gamma, beta, epsilon)
    return (y, None, None, total)[:outputs]


@op("SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_simplified_layer_normalization(
    x: Tensor, skip: Tensor, gamma: Tensor, bias: Tensor | None = None, epsilon: float = 1e-12, outputs: int = 1
) -> tuple[Tensor | None, ...]:
    total = x + skip if bias is None else x + skip + bias
    return (simplified_layer_normalization(total, gamma, epsilon=epsilon), None, None, total)[:outputs]


@op("MultiHeadAttention", domain=MICROSOFT, only={"unidirectional": 0}, ignores=("mask_filter_value",))
def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    num_heads: int = 1,
    scale: float | None = None,
) -> Tensor:
    """Query, key and value are (batch, length, heads * size); the bias holds those of the three one after another."""
    if bias is not None:
        parts = bias.split_with_sizes([query.shape[-1], key.shape[-1], value.shape[-1]])
        query, key, value = (x + part for x, part in zip((query, key, value), parts, strict=True))
    return onnx_attention(query, key, value, q_num_heads=num_heads, kv_num_heads=num_heads, scale=scale or None)[0]


@op("Attention", domain=MICROSOFT, only={"unidirectional": 0, "do_rotary": 0}, ignores=("mask_filter_value",))
def packed_attention(
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None = None,
    num_heads: int = 1,
    qkv_hidden_sizes: list[int] | None = None,
    scale: float | None = None,
) -> Tensor:
    """Self-attention with one matrix (input, query + key + value) for the three projections."""
    projected = x @ weights if bias is None else x @ weights + bias
    sizes = qkv_hidden_sizes or [weights.shape[1] // 3] * 3
    query, key, value = projected.split_with_sizes(sizes, -1)
    return multi_head_attention(query, key, value, None, num_heads, scale)
