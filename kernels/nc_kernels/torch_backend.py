"""The kernels in PyTorch operations: for devices that have no kernel of their own."""

from torch import Tensor


def blend(images: Tensor, masks: Tensor, patterns: Tensor, scale: Tensor, offset: Tensor, out: Tensor) -> None:
    """See `reference.blend`."""
    x, m, p = images[None], masks[:, None], patterns[:, None]
    out.copy_(((1 - m) * x + m * p) * scale[:, None, None] + offset[:, None, None])


def blend_backward(
    grad: Tensor,
    images: Tensor,
    masks: Tensor,
    patterns: Tensor,
    scale: Tensor,
    grad_masks: Tensor,
    grad_patterns: Tensor,
) -> None:
    """See `reference.blend_backward`."""
    g = grad.to(masks.dtype) * scale[:, None, None]
    total = g.sum(dim=1)
    grad_patterns.copy_(masks * total)
    grad_masks.copy_((total * patterns - (g * images[None]).sum(dim=1)).sum(dim=1, keepdim=True))


def mad(values: Tensor, median: Tensor, deviation: Tensor) -> None:
    """See `reference.mad`."""
    median.copy_(_median(values))
    deviation.copy_(_median((values - median[:, None]).abs()))


def _median(values: Tensor) -> Tensor:
    """With the mean of the two middle values, where `torch.median` gives the lower; NaN where a row holds one."""
    ordered = values.sort(dim=1).values
    count = values.shape[1]
    lower, upper = ordered[:, (count - 1) // 2], ordered[:, count // 2]
    middle = (lower / 2 + upper / 2).where(lower != upper, lower)
    return middle.where(~values.isnan().any(dim=1), float("nan"))
