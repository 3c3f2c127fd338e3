"""Trigger application: many triggers on many images in one pass over memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nc_kernels import memory
from nc_kernels.backends import choose_backend, device_of, is_tensor, load
from nc_kernels.errors import KernelError

PerChannel = float | Sequence[float] | None


def apply_trigger(
    images: Any,
    masks: Any,
    patterns: Any,
    *,
    scale: PerChannel = None,
    offset: PerChannel = None,
    channels_last: bool = False,
    dtype: Any = None,
    backend: str | None = None,
) -> Any:
    """Blend every trigger into every image: x' = ((1 - m) x + m pattern) scale + offset.

    NaN and infinity follow the formula: 0 times infinity is NaN, so that an infinite pattern shows even where m is 0. A
    result too large for its dtype is infinite.

    Args:
        images: (B, C, H, W), float32 or float64, a NumPy array or torch tensor; gets no gradient.
        masks: (L, 1, H, W), the share m in [0, 1] of the pattern in each pixel; same kind, dtype and device as images.
        patterns: (L, C, H, W), the colours, in the unit of the images.
        scale: one number or one a channel; with offset the affine step from pixels to what the model expects.
        offset: likewise; no scale is 1 and no offset is 0.
        channels_last: store the channels innermost. A torch result reshaped to (L * B, C, H, W) is then
            `torch.channels_last` without a copy.
        dtype: of the result: float32, float64, float16, and for torch bfloat16; rounded to nearest even. Default: the
            dtype of the images.
        backend: `numpy`, `numba`, `torch` or `cupy`; default: see `nc_kernels.choose_backend`.

    Returns:
        (L, B, C, H, W). For torch differentiable in masks and patterns, once.

    Raises:
        KernelError: shapes that do not fit, mixed kinds, dtypes or devices, images that require a gradient.

    >>> images, masks, patterns = np.zeros((4, 3, 8, 8)), np.full((2, 1, 8, 8), 0.25), np.ones((2, 3, 8, 8))
    >>> apply_trigger(images, masks, patterns).shape
    (2, 4, 3, 8, 8)
    """
    _check(images, masks, patterns)
    chosen = choose_backend(images, backend)
    channels = images.shape[1]
    factors = _per_channel(scale, 1.0, channels, "scale"), _per_channel(offset, 0.0, channels, "offset")
    if is_tensor(images):
        from nc_kernels.autograd import apply

        return apply(images, masks, patterns, *factors, channels_last, dtype, chosen)
    shape = (len(masks), *images.shape)
    out = memory.empty(shape, _result_dtype(dtype or images.dtype), channels_last)
    load(chosen).blend(images, masks, patterns, *(f.astype(images.dtype) for f in factors), out)
    return out


def _check(images: Any, masks: Any, patterns: Any) -> None:
    arrays = {"images": images, "masks": masks, "patterns": patterns}
    for what in ("device", "kind", "dtype"):
        found = {name: _property(array, what) for name, array in arrays.items()}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in found.items())
            raise KernelError(f"apply_trigger needs one {what}, got {listed}")
    if _property(images, "dtype") not in ("float32", "float64"):
        raise KernelError(f"apply_trigger works on float32 or float64, got {images.dtype}")
    for name, array in arrays.items():
        if array.ndim != 4:
            raise KernelError(f"{name} must have 4 dimensions, got shape {tuple(array.shape)}")
    channels, height, width = images.shape[1:]
    expected = {"masks": (len(masks), 1, height, width), "patterns": (len(masks), channels, height, width)}
    for name, shape in expected.items():
        if tuple(arrays[name].shape) != shape:
            raise KernelError(
                f"{name} must have shape {shape} for images {tuple(images.shape)} and {len(masks)} masks, "
                f"got {tuple(arrays[name].shape)}"
            )
    if is_tensor(images) and images.requires_grad:
        raise KernelError("images get no gradient from apply_trigger; pass images.detach()")


def _property(array: Any, what: str) -> str:
    if what == "device":
        return device_of(array)
    return type(array).__module__.split(".")[0] if what == "kind" else str(array.dtype).removeprefix("torch.")


def _result_dtype(dtype: Any) -> np.dtype[Any]:
    for possible in map(np.dtype, (np.float16, np.float32, np.float64)):
        if dtype in (possible, possible.name, possible.type):  # a dtype of torch is none of them
            return possible
    raise KernelError(f"a NumPy result can be float16, float32 or float64, not {dtype}")


def _per_channel(value: PerChannel, default: float, channels: int, name: str) -> np.ndarray[Any, Any]:
    vector = np.asarray(default if value is None else value, dtype=np.float64)
    if vector.shape not in ((), (1,), (channels,)):
        raise KernelError(f"{name} must be one number or {channels}, one a channel; got shape {vector.shape}")
    return np.broadcast_to(vector, (channels,)).copy()
