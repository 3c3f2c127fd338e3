"""The kernels for NVIDIA GPUs: `kernels.cu`, compiled by CuPy when first needed, on torch's current stream."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nc_kernels.memory import contiguous, runs

SOURCE = Path(__file__).with_name("kernels.cu")
THREADS = 256
_TYPES = {"float32": "float", "float64": "double", "float16": "float16", "uint16": "bfloat16"}
KERNELS = tuple(
    f"{name}_{t}_{u}" for name in ("blend", "blend_backward") for t in ("float", "double") for u in _TYPES.values()
)


def blend(images: Any, masks: Any, patterns: Any, scale: Any, offset: Any, out: Any) -> None:
    """See `reference.blend`; CuPy arrays, out planar or channels last."""
    x, y = runs(images), runs(out)
    labels, count, channels, height, width = out.shape
    arrays = (x, contiguous(masks), contiguous(patterns), scale, offset, y)
    shape = np.int64(labels), np.int64(count), np.int64(channels), np.int64(height * width)
    name = f"blend_{_type(images)}_{_type(out)}"
    launch(name, labels * channels * height * width, (*arrays, *shape, _last(x, channels), _last(y, channels)))


def blend_backward(
    grad: Any, images: Any, masks: Any, patterns: Any, scale: Any, grad_masks: Any, grad_patterns: Any
) -> None:
    """See `reference.blend_backward`; a grad that is neither planar nor channels last is copied."""
    g, x = runs(grad), runs(images)
    labels, count, channels, height, width = grad.shape
    arrays = (g, x, contiguous(masks), contiguous(patterns), scale, grad_masks, grad_patterns)
    shape = np.int64(labels), np.int64(count), np.int64(channels), np.int64(height * width)
    name = f"blend_backward_{_type(images)}_{_type(grad)}"
    launch(name, labels * height * width, (*arrays, *shape, _last(x, channels), _last(g, channels)))


def launch(name: str, threads: int, arguments: tuple[Any, ...]) -> None:
    """Run one kernel over a number of threads on torch's current stream, or CuPy's where torch is not used."""
    import cupy  # type: ignore[import-not-found, unused-ignore]
    import torch

    if threads == 0:
        return
    device = next(a.device for a in arguments if isinstance(a, cupy.ndarray))
    with device, cupy.cuda.ExternalStream(torch.cuda.current_stream(device.id).cuda_stream, device.id):
        _module().get_function(name)((-(-threads // THREADS),), (THREADS,), arguments)


@lru_cache(maxsize=1)
def _module() -> Any:
    import cupy

    return cupy.RawModule(code=SOURCE.read_text(), options=("-std=c++17",))


def _type(array: Any) -> str:
    return _TYPES[str(array.dtype)]


def _last(array: Any, channels: int) -> Any:
    """Whether the runs of array are channels last."""
    return np.int32(array.shape[-2] != channels)
