"""Normalization layers."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.registry import op


@op("BatchNormalization", since=14)
def batch_normalization(
    x: Tensor,
    scale: Tensor,
    b: Tensor,
    mean: Tensor,
    var: Tensor,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    if not training_mode:
        return F.batch_norm(x, mean.to(x.dtype), var.to(x.dtype), scale.to(x.dtype), b.to(x.dtype), eps=epsilon)
    axes = [0, *range(2, x.dim())]
    now = x.mean(axes), x.var(axes, correction=0)
    running = [momentum * old + (1 - momentum) * new for old, new in zip((mean, var), now, strict=True)]
    return F.batch_norm(x, None, None, scale, b, training=True, eps=epsilon), running[0], running[1]


@op("BatchNormalization", ignores=("momentum",), only={"spatial": 1, "is_test": 1})
def batch_normalization_inference(
    x: Tensor, scale: Tensor, b: Tensor, mean: Tensor, var: Tensor, epsilon: float = 1e-5
) -> Tensor:
    """Before version 14 an inference graph is told by its single output."""
    mean, var, scale, b = (value.to(x.dtype) for value in (mean, var, scale, b))
    return F.batch_norm(x, mean, var, scale, b, eps=epsilon)


@op("InstanceNormalization", since=6)
def instance_normalization(x: Tensor, scale: Tensor, b: Tensor, epsilon: float = 1e-5) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=b, eps=epsilon)


@op("LayerNormalization")
def layer_normalization(
    x: Tensor,
    scale: Tensor,
    b: Tensor | None = None,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    outputs: int = 1,
) -> Tensor | tuple[Tensor, ...]:
    shape = x.shape[axis % x.dim() :]
    if outputs == 1 and scale.shape == shape and (b is None or b.shape == shape):
        return F.layer_norm(x, shape, scale, b, epsilon)
    axes = list(range(axis % x.dim(), x.dim()))
    wide = x.to(torch.float32) if stash_type == 1 and x.dtype in (torch.float16, torch.bfloat16) else x
    mean = wide.mean(axes, keepdim=True)
    inverse = (wide.var(axes, correction=0, keepdim=True) + epsilon).rsqrt()
    y = ((wide - mean) * inverse).to(x.dtype) * scale
    return (y if b is None else y + b, mean, inverse)[:outputs]


@op("LRN")
def lrn(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Tensor:
    return F.local_response_norm(x, size, alpha, beta, bias)


@op("LpNormalization")
def lp_normalization(x: Tensor, axis: int = -1, p: int = 2) -> Tensor:
    norm = torch.linalg.vector_norm(x, p, axis, keepdim=True)
    return torch.where(norm == 0, 0, x / norm)


@op("MeanVarianceNormalization")
def mean_variance_normalization(x: Tensor, axes: list[int] | None = None) -> Tensor:
    axes = [0, 2, 3] if axes is None else axes
    centred = x - x.mean(axes, keepdim=True)
    return centred / (x.var(axes, correction=0, keepdim=True).sqrt() + 1e-9)
