"""Trigger application as a torch function with a backward pass, on memory that the backends share with torch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nc_kernels import memory
from nc_kernels.backends import Backend, load
from nc_kernels.errors import KernelError

_RESULT_BITS = {
    torch.float16: np.float16,
    torch.bfloat16: np.uint16,
    torch.float32: np.float32,
    torch.float64: np.float64,
}


def apply(
    images: Tensor,
    masks: Tensor,
    patterns: Tensor,
    scale: memory.Array,
    offset: memory.Array,
    channels_last: bool,
    dtype: torch.dtype | None,
    backend: Backend,
) -> Tensor:
    """See `nc_kernels.apply_trigger`; the inputs are checked."""
    dtype = dtype or images.dtype
    if dtype not in _RESULT_BITS:
        raise KernelError(f"a torch result can be {', '.join(map(str, _RESULT_BITS))}, not {dtype}")
    factors = [torch.from_numpy(f).to(images.device, images.dtype) for f in (scale, offset)]
    result: Tensor = _ApplyTrigger.apply(images, masks, patterns, *factors, channels_last, dtype, backend)  # type: ignore[no-untyped-call]
    return result


def native(tensor: Tensor, backend: Backend) -> Any:
    """tensor's memory as the backend's kind of array, bfloat16 as uint16."""
    tensor = tensor.detach()
    if backend == "torch":
        return tensor
    bits = tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor
    if backend == "cupy":
        import cupy  # type: ignore[import-not-found, unused-ignore]

        return cupy.from_dlpack(bits)
    return bits.numpy()


class _ApplyTrigger(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        masks: Tensor,
        patterns: Tensor,
        scale: Tensor,
        offset: Tensor,
        channels_last: bool,
        dtype: torch.dtype,
        backend: Backend,
    ) -> Tensor:
        ctx.save_for_backward(images, masks, patterns, scale)
        ctx.backend = backend
        out = _empty((len(masks), *images.shape), dtype, images.device, channels_last)
        load(backend).blend(*(native(t, backend) for t in (images, masks, patterns, scale, offset, out)))
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, masks, patterns, scale = ctx.saved_tensors
        results = (
            torch.empty_like(masks, memory_format=torch.contiguous_format),
            torch.empty_like(patterns, memory_format=torch.contiguous_format),
        )
        arrays = (grad, images, masks, patterns, scale, *results)
        load(ctx.backend).blend_backward(*(native(t, ctx.backend) for t in arrays))
        return None, *results, None, None, None, None, None


def _empty(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, channels_last: bool) -> Tensor:
    if device.type == "cpu":
        bits = torch.from_numpy(memory.empty(shape, _RESULT_BITS[dtype], channels_last))
        return bits.view(torch.bfloat16) if dtype == torch.bfloat16 else bits
    if not channels_last:
        return torch.empty(shape, dtype=dtype, device=device)
    labels, count, channels, height, width = shape
    return torch.empty((labels, count, height, width, channels), dtype=dtype, device=device).permute(0, 1, 4, 2, 3)
