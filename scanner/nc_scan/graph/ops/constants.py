"""Constants, ranges and types."""

import math

import torch
from torch import Tensor

from nc_scan.graph.registry import op


@op("Constant", only={"value_string": None, "value_strings": None})
def constant(
    value: Tensor | None = None,
    sparse_value: Tensor | None = None,
    value_float: float | None = None,
    value_floats: list[float] | None = None,
    value_int: int | None = None,
    value_ints: list[int] | None = None,
) -> Tensor:
    if value is not None:
        return value
    if sparse_value is not None:
        return sparse_value
    if value_float is not None or value_floats is not None:
        return torch.tensor(value_floats if value_float is None else value_float, dtype=torch.float32)
    return torch.tensor(value_ints if value_int is None else value_int, dtype=torch.int64)


@op("ConstantOfShape", gradient="none")
def constant_of_shape(shape: list[int], value: Tensor | None = None) -> Tensor:
    return torch.zeros(shape) if value is None else torch.full(shape, value.item(), dtype=value.dtype)


@op("Range", ignores=("stash_type",), gradient="none")
def range_(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype, device=start.device)


@op("EyeLike", gradient="none")
def eye_like(x: Tensor, dtype: torch.dtype | None = None, k: int = 0) -> Tensor:
    rows, columns = x.shape
    row, column = torch.arange(rows, device=x.device), torch.arange(columns, device=x.device)
    return (column[None, :] - row[:, None] == k).to(dtype or x.dtype)


@op("Identity", gradient="integers")
def identity(x: Tensor) -> Tensor:
    return x


@op("Dropout", only={"is_test": 1}, ignores=("seed",))
def dropout(x: Tensor, ratio: float = 0.5, training_mode: bool = False, outputs: int = 1) -> tuple[Tensor, ...]:
    """At inference the identity, with a mask that keeps everything."""
    if training_mode and ratio > 0:
        raise ValueError("it drops values at random (training_mode is set): export the model for inference")
    return (x, torch.ones_like(x, dtype=torch.bool))[:outputs]


@op("Cast", ignores=("round_mode",), gradient="cast")
def cast(x: Tensor, to: torch.dtype, saturate: int = 1) -> Tensor:
    """Values that a float8 type cannot hold become its largest or, without `saturate`, infinite or else NaN."""
    if to.itemsize > 1 or not to.is_floating_point:
        return x.to(to)
    largest = torch.finfo(to).max
    if saturate:
        return x.clamp(-largest, largest).to(to)
    # Half of the last step beyond the largest still rounds to it; torch saturates in some of the types itself.
    rounded = x.clamp(-largest, largest).to(to)
    beyond = ~(x.abs() < largest * (1 + _HALF_STEP[to])) & ~x.isnan()
    overflow = x.new_full((), math.inf).copysign(x) if to == torch.float8_e5m2 else x.new_full((), math.nan)
    return torch.where(beyond, overflow, rounded.to(x.dtype)).to(to)


@op("CastLike", ignores=("round_mode",), gradient="cast")
def cast_like(x: Tensor, target_type: Tensor, saturate: int = 1) -> Tensor:
    return cast(x, target_type.dtype, saturate)


# Half of the step below the largest value, relative to that value: 448 + 16, 240 + 8, 57344 + 4096.
_HALF_STEP = {
    torch.float8_e4m3fn: 16 / 448,
    torch.float8_e4m3fnuz: 8 / 240,
    torch.float8_e5m2: 4096 / 57344,
    torch.float8_e5m2fnuz: 4096 / 57344,
}
