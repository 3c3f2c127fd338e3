"""Trigger application as a torch function with a backward pass."""

from typing import Any

import torch
from torch import Tensor

from nc_kernels.errors import KernelError

_RESULT_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def apply(
    images: Tensor,
    masks: Tensor,
    patterns: Tensor,
    scale: Any,
    offset: Any,
    channels_last: bool,
    dtype: Any,
    backend: str,
) -> Tensor:
    """See `nc_kernels.apply_trigger`; the inputs are checked, scale and offset are NumPy vectors."""
    dtype = dtype or images.dtype
    if dtype not in _RESULT_DTYPES:
        raise KernelError(f"a torch result can be {', '.join(map(str, _RESULT_DTYPES))}, not {dtype}")
    factors = [torch.as_tensor(f, dtype=images.dtype, device=images.device) for f in (scale, offset)]
    return _ApplyTrigger.apply(images, masks, patterns, *factors, channels_last, dtype, backend)  # type: ignore


class _ApplyTrigger(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images, masks, patterns, scale, offset, channels_last, dtype, backend) -> Tensor:  # type: ignore
        ctx.save_for_backward(images, masks, patterns, scale)
        x, m, p = images[None], masks[:, None], patterns[:, None]
        y = ((1 - m) * x + m * p) * scale[:, None, None] + offset[:, None, None]
        if channels_last:
            return y.permute(0, 1, 3, 4, 2).to(dtype).contiguous().permute(0, 1, 4, 2, 3)
        return y.to(dtype).contiguous()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad):  # type: ignore
        images, masks, patterns, scale = ctx.saved_tensors
        g = grad.to(masks.dtype) * scale[:, None, None]
        total = g.sum(dim=1)
        grad_masks = (total * patterns - (g * images[None]).sum(dim=1)).sum(dim=1, keepdim=True)
        return None, grad_masks, masks * total, None, None, None, None, None
