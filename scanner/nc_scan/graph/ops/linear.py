"""Matrix products."""

import torch
from torch import Tensor

from nc_scan.graph.registry import op


@op("MatMul")
def matmul(a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


@op("Gemm", since=7)
def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    a, b = a.T if transA else a, b.T if transB else b
    if c is None:
        return alpha * (a @ b) if alpha != 1 else a @ b
    if a.is_floating_point():
        return torch.addmm(c, a, b, beta=beta, alpha=alpha)
    return (alpha * (a @ b) + beta * c).to(a.dtype)


@op("Gemm")
def gemm_broadcast(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    alpha: float = 1.0,
    beta: float = 1.0,
    broadcast: int = 0,  # noqa: ARG001  (torch broadcasts where it has to)
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    return gemm(a, b, c, alpha, beta, transA, transB)


@op("Einsum")
def einsum(*inputs: Tensor, equation: str) -> Tensor:
    result: Tensor = torch.einsum(equation.replace(" ", ""), *inputs)
    return result


@op("Det")
def det(x: Tensor) -> Tensor:
    result: Tensor = torch.linalg.det(x)
    return result
