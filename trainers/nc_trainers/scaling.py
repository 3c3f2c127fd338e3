"""The scale of images: what a network or a file takes in place of values in 0..1."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nc_trainers.errors import TrainerError

Values = tuple[float, ...]


@dataclass(frozen=True)
class Scaling:
    """(x - mean) / std of images x in 0..1; each is one value, one a channel, or None for 0 and 1."""

    mean: Values | None = None
    std: Values | None = None

    def check(self) -> None:
        """Raise TrainerError for what is no scale."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not all(math.isfinite(value) for value in values or ()):
                raise TrainerError(f"{name} must be numbers, not {', '.join(f'{value:g}' for value in values or ())}")
        if self.std is not None and min(self.std, default=1.0) <= 0:
            raise TrainerError("std must be above 0")

    def check_channels(self, channels: int) -> None:
        """Raise TrainerError where the scale is not one for images of so many channels."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) not in (1, channels):
                raise TrainerError(f"{name} needs {channels} values, one a channel, or one for all, not {len(values)}")

    def apply(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in 0..1 on this scale."""
        if self.mean is None and self.std is None:
            return images
        return (images - self._column(self.mean, 0.0, images)) / self._column(self.std, 1.0, images)

    def then(self, other: "Scaling", channels: int) -> tuple[Values, Values] | None:
        """Factor and offset a channel that lead from this scale to the `other`; None where both are one."""
        mean, std = self._spread(self.mean, 0.0, channels), self._spread(self.std, 1.0, channels)
        mean2, std2 = self._spread(other.mean, 0.0, channels), self._spread(other.std, 1.0, channels)
        if (mean, std) == (mean2, std2):
            return None
        factor = tuple(s / s2 for s, s2 in zip(std, std2, strict=True))
        return factor, tuple((m - m2) / s2 for m, m2, s2 in zip(mean, mean2, std2, strict=True))

    @staticmethod
    def _spread(values: Values | None, default: float, channels: int) -> Values:
        given = values or (default,)
        return given * channels if len(given) == 1 else given

    @staticmethod
    def _column(values: Values | None, default: float, images: Tensor) -> Tensor:
        return torch.tensor(values or (default,), device=images.device).reshape(-1, 1, 1)
