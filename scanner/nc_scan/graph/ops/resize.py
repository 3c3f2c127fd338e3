"""Resize and Upsample, exact in every mode: one axis after another, each by its matrix of weights.

All modes of the specification are separable. For each output index along an axis the coordinate transformation gives a
place in the input, and the mode the weights of the input's samples around it.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nc_scan.graph.registry import op

Weights = Callable[[Tensor], Tensor]


def _coordinates(mode: str, size: int, length: int, factor: float, roi: tuple[float, float]) -> Tensor:
    """Where each of `length` output samples lies in an input of `size` samples, in float32 like onnxruntime's."""
    out = torch.arange(length, dtype=torch.float32)
    scale = torch.tensor(factor)  # a tensor is divided by in float32, a Python number is not
    if mode == "half_pixel":
        return (out + 0.5) / scale - 0.5
    if mode == "asymmetric":
        return out / scale
    if mode == "pytorch_half_pixel":
        return (out + 0.5) / scale - 0.5 if length > 1 else torch.zeros(1, dtype=torch.float32)
    if mode == "tf_half_pixel_for_nn":
        return (out + 0.5) / scale
    if mode == "align_corners":
        return out * (size - 1) / (length - 1) if length > 1 else torch.zeros(1, dtype=torch.float32)
    if mode == "half_pixel_symmetric":
        adjustment = length / (scale * size)
        return size / 2 * (1 - adjustment) + (out + 0.5) / scale - 0.5
    if mode == "tf_crop_and_resize":
        start, end = roi
        if length == 1:
            return 0.5 * (start + end) * (size - 1) * torch.ones(1, dtype=torch.float32)
        return start * (size - 1) + out * (end - start) * (size - 1) / (length - 1)
    raise ValueError(f"coordinate_transformation_mode={mode} is not one of the specification's")


def _nearest(place: Tensor, mode: str, scale: float) -> Tensor:
    """The input index nearest to each place."""
    if mode == "simple":
        mode = "ceil" if scale < 1 else "floor"
    place = place.double()
    if mode == "round_prefer_floor":
        return torch.ceil(place - 0.5).long()
    if mode == "round_prefer_ceil":
        return torch.floor(place + 0.5).long()
    if mode == "floor":
        return torch.floor(place).long()
    if mode == "ceil":
        return torch.ceil(place).long()
    raise ValueError(f"nearest_mode={mode} is not one of the specification's")


def _triangle(distance: Tensor) -> Tensor:
    return (1 - distance.abs()).clamp(min=0)


def _cubic(a: float) -> Weights:
    """Keys' cubic convolution kernel."""

    def weight(distance: Tensor) -> Tensor:
        x = distance.abs()
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return torch.where(x <= 1, near, torch.where(x < 2, far, 0))

    return weight


def _matrix(place: Tensor, size: int, kernel: Weights, reach: int, widening: float, *, exclude_outside: bool) -> Tensor:
    """Interpolation along one axis: (output, input) weights.

    The kernel reaches `reach / widening` samples to both sides. Samples beyond the border repeat the border's, or
    are left out and the other weights scaled up (`exclude_outside`).
    """
    extent = math.ceil(reach / widening)
    samples = torch.floor(place).long()[:, None] + torch.arange(-extent + 1, extent + 1)
    weights = kernel((samples - place[:, None]) * widening)
    if exclude_outside:
        weights = torch.where((samples < 0) | (samples >= size), 0, weights)
    if exclude_outside or widening < 1:
        weights = weights / weights.sum(-1, keepdim=True)
    return torch.zeros(len(place), size).scatter_add(1, samples.clamp(0, size - 1), weights)


def _resize_axis(
    x: Tensor,
    axis: int,
    length: int,
    scale: float,
    roi: tuple[float, float],
    *,
    mode: str,
    coordinate_mode: str,
    nearest_mode: str,
    cubic_coeff_a: float,
    exclude_outside: int,
    extrapolation_value: float,
    antialias: int,
) -> Tensor:
    size = x.shape[axis]
    place = _coordinates(coordinate_mode, size, length, scale, roi)
    if mode == "nearest":
        y = x.index_select(axis, _nearest(place, nearest_mode, scale).clamp(0, size - 1).to(x.device))
    else:
        kernel, reach = (_triangle, 1) if mode == "linear" else (_cubic(cubic_coeff_a), 2)
        widening = min(scale, 1.0) if antialias else 1.0
        matrix = _matrix(place, size, kernel, reach, widening, exclude_outside=bool(exclude_outside))
        matrix = matrix.to(x.device, x.dtype if x.is_floating_point() else torch.float32)
        y = (x.to(matrix.dtype).movedim(axis, -1) @ matrix.T).movedim(-1, axis)
        y = y if x.is_floating_point() else y.round().to(x.dtype)
    if coordinate_mode == "tf_crop_and_resize":
        beyond = ((place < 0) | (place > size - 1)).to(x.device).reshape(-1, *[1] * (x.dim() - axis - 1))
        y = torch.where(beyond, extrapolation_value, y)
    return y


def _lengths(
    lengths: list[int], scales: list[float] | None, sizes: list[int] | None, policy: str
) -> tuple[list[int], list[float]]:
    """Output lengths and scales of the axes of the given `lengths`."""
    if sizes is None:
        scales = scales or [1.0] * len(lengths)
        return [math.floor(length * scale) for length, scale in zip(lengths, scales, strict=True)], scales
    ratios = [size / length for size, length in zip(sizes, lengths, strict=True)]
    if policy == "stretch":
        return sizes, ratios
    if policy not in ("not_larger", "not_smaller"):
        raise ValueError(f"keep_aspect_ratio_policy={policy} is not one of the specification's")
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(length * ratio + 0.5) for length in lengths], [ratio] * len(lengths)


@op("Resize", since=11, gradient="integers")
def resize(
    x: Tensor,
    roi: list[float] | None = None,
    scales: list[float] | None = None,
    sizes: list[int] | None = None,
    antialias: int = 0,
    axes: list[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Tensor:
    if mode not in ("nearest", "linear", "cubic"):
        raise ValueError(f"mode={mode} is not one of nearest, linear and cubic")
    axes = list(range(x.dim())) if axes is None else [axis % x.dim() for axis in axes]
    wanted, factors = _lengths([x.shape[axis] for axis in axes], scales, sizes, keep_aspect_ratio_policy)
    for position, axis in enumerate(axes):
        span = (0.0, 1.0)
        if coordinate_transformation_mode == "tf_crop_and_resize" and roi:
            span = (roi[position], roi[position + len(axes)])
        if wanted[position] == x.shape[axis] and factors[position] == 1 and span == (0.0, 1.0):
            continue
        x = _resize_axis(
            x,
            axis,
            wanted[position],
            factors[position],
            span,
            mode=mode,
            coordinate_mode=coordinate_transformation_mode,
            nearest_mode=nearest_mode,
            cubic_coeff_a=cubic_coeff_a,
            exclude_outside=exclude_outside,
            extrapolation_value=extrapolation_value,
            antialias=antialias,
        )
    return x


@op("Resize", since=10, gradient="integers")
@op("Upsample", since=7, gradient="integers")
def upsample(x: Tensor, scales: list[float], mode: str = "nearest") -> Tensor:
    """Before version 11 the corner of the image is the origin; nearest rounds down, and up where the image shrinks."""
    mode = "linear" if mode in ("linear", "bilinear") else mode
    return resize(x, None, scales, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="simple")


@op("Upsample", gradient="integers")
def upsample_planes(x: Tensor, height_scale: float, width_scale: float, mode: str = "nearest") -> Tensor:
    return upsample(x, [1.0, 1.0, height_scale, width_scale], mode)
