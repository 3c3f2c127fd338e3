"""Geometry of sliding windows, common to convolution and pooling."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def padding(
    auto_pad: str,
    pads: Sequence[int] | None,
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[list[int], list[int]]:
    """Padding before and after each spatial axis of a `size`d input, as `auto_pad` or `pads` say."""
    rank = len(kernel)
    if auto_pad in ("", "NOTSET"):
        pads = pads or [0] * 2 * rank
        return list(pads[:rank]), list(pads[rank:])
    if auto_pad == "VALID":
        return [0] * rank, [0] * rank
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad={auto_pad} is not one of NOTSET, VALID, SAME_UPPER and SAME_LOWER")
    total = [
        max((-(-length // stride) - 1) * stride + (extent - 1) * dilation + 1 - length, 0)
        for length, extent, stride, dilation in zip(size, kernel, strides, dilations, strict=True)
    ]
    less, more = [t // 2 for t in total], [t - t // 2 for t in total]
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def pad_spatial(x: Tensor, before: Sequence[int], after: Sequence[int], value: float = 0.0) -> Tensor:
    """Pads the last axes of x; negative amounts crop."""
    if not any(before) and not any(after):
        return x
    amounts = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
    return F.pad(x, amounts, value=value)
