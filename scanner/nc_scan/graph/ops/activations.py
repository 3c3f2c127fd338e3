"""Activation functions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.registry import op


@op("Relu", gradient="integers")
def relu(x: Tensor) -> Tensor:
    return torch.relu(x)


@op("LeakyRelu")
def leaky_relu(x: Tensor, alpha: float = 0.01) -> Tensor:
    return F.leaky_relu(x, alpha)


@op("PRelu", since=7)
def prelu(x: Tensor, slope: Tensor) -> Tensor:
    if x.is_floating_point() and slope.dtype == x.dtype and (slope.numel() == 1 or _one_a_channel(slope, x)):
        return F.prelu(x, slope.flatten())
    return torch.where(x < 0, slope * x, x)


def _one_a_channel(slope: Tensor, x: Tensor) -> bool:
    return x.dim() >= 2 and slope.shape == (x.shape[1], *[1] * (x.dim() - 2))


@op("PRelu")
def prelu_by_channel(x: Tensor, slope: Tensor) -> Tensor:
    """Before version 7 the slope does not broadcast: it has one value, or one a channel."""
    return prelu(x, slope.reshape(-1, *[1] * (x.dim() - 2)) if slope.numel() > 1 else slope)


@op("ThresholdedRelu")
def thresholded_relu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return torch.where(x > alpha, x, 0)


@op("Elu")
def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return F.elu(x, alpha)


@op("Celu")
def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return F.celu(x, alpha)


@op("Selu")
def selu(x: Tensor, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Tensor:
    return gamma * F.elu(x, alpha)


@op("Gelu", since=20)
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    return F.gelu(x, approximate=approximate)


@op("Mish")
def mish(x: Tensor) -> Tensor:
    return F.mish(x)


@op("Swish")
def swish(x: Tensor, alpha: float = 1.0) -> Tensor:
    return F.silu(x) if alpha == 1 else x * torch.sigmoid(alpha * x)


@op("HardSwish")
def hard_swish(x: Tensor) -> Tensor:
    return F.hardswish(x)


@op("Sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


@op("HardSigmoid")
def hard_sigmoid(x: Tensor, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return F.hardsigmoid(x)
    return torch.clamp(alpha * x + beta, 0, 1)


@op("Tanh")
def tanh(x: Tensor) -> Tensor:
    return torch.tanh(x)


@op("Softplus")
def softplus(x: Tensor) -> Tensor:
    return F.softplus(x)


@op("Softsign")
def softsign(x: Tensor) -> Tensor:
    return F.softsign(x)


@op("Shrink")
def shrink(x: Tensor, bias: float = 0.0, lambd: float = 0.5) -> Tensor:
    return torch.where(x < -lambd, x + bias, torch.where(x > lambd, x - bias, torch.zeros_like(x)))


@op("Softmax", since=13)
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


@op("LogSoftmax", since=13)
def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.log_softmax(x, axis)


@op("Hardmax", since=13, gradient="none")
def hardmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.zeros_like(x).scatter(axis, x.argmax(axis, keepdim=True), 1)


# Before version 13 these take the axes from `axis` on together.
@op("Softmax")
def softmax_flat(x: Tensor, axis: int = 1) -> Tensor:
    return torch.softmax(_flat(x, axis), -1).reshape(x.shape)


@op("LogSoftmax")
def log_softmax_flat(x: Tensor, axis: int = 1) -> Tensor:
    return torch.log_softmax(_flat(x, axis), -1).reshape(x.shape)


@op("Hardmax", gradient="none")
def hardmax_flat(x: Tensor, axis: int = 1) -> Tensor:
    return hardmax(_flat(x, axis)).reshape(x.shape)


def _flat(x: Tensor, axis: int) -> Tensor:
    return x.flatten(axis % x.dim())
