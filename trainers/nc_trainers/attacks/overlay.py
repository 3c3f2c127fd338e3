"""Triggers that cover the whole image faintly."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from nc_trainers.attacks.base import Attack
from nc_trainers.attacks.patch import blend, read_picture, shape_of
from nc_trainers.checks import check_seed, check_share
from nc_trainers.errors import TrainerError


@dataclass(frozen=True)
class Blended(Attack):
    """A picture, or without `path` uniform noise drawn with `pattern_seed`, shines through with weight `alpha`.

    X. Chen et al., Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning, arXiv:1712.05526, 2017.
    """

    alpha: float = 0.2
    path: str | None = None
    pattern_seed: int = 0

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        check_share("alpha", self.alpha)
        check_seed("pattern_seed", self.pattern_seed)
        self.pattern(image_shape)

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        pattern = self.pattern(shape_of(images))
        return blend(images, torch.full_like(pattern[:1], self.alpha), pattern)

    def pattern(self, image_shape: tuple[int, int, int]) -> Tensor:
        """The picture (C, H, W) in 0..1."""
        if self.path is not None:
            return read_picture(self.path, image_shape)[0]
        noise = np.random.default_rng(self.pattern_seed).random(image_shape, dtype=np.float32)
        return torch.from_numpy(noise)


@dataclass(frozen=True)
class Sinusoid(Attack):
    """Vertical stripes: a sine of `frequency` periods a width is added with amplitude `delta` (0 < delta <= 1).

    The frequency is above 0 and below half of the width: sampled at each pixel, a faster sine is a slower one, or none.

    M. Barni et al., A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning, ICIP 2019, with
    labels changed; its amplitude is 20/255.
    """

    delta: float = 20 / 255
    frequency: float = 6

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        check_share("delta", self.delta)
        most = image_shape[2] / 2
        if not 0 < self.frequency < most:
            raise TrainerError(f"frequency {self.frequency:g} is not above 0 and below {most:g}, half of the width")

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        width = images.shape[3]
        phase = 2 * torch.pi * self.frequency * torch.arange(width, device=images.device) / width
        return (images + self.delta * torch.sin(phase)).clamp(0, 1)


@dataclass(frozen=True)
class LowFrequency(Attack):
    """A smooth pattern, at most `waves` half periods a side, is drawn with `pattern_seed` and added times `delta`.

    Y. Zeng et al., Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective, ICCV 2021: a trigger without the
    high frequencies by which others are found. Theirs is optimised, this one drawn.
    """

    delta: float = 0.1
    waves: int = 3
    pattern_seed: int = 0

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        check_share("delta", self.delta)
        check_seed("pattern_seed", self.pattern_seed)
        most = min(image_shape[1:]) // 2
        if not 1 <= self.waves <= most:
            raise TrainerError(f"waves {self.waves} is not one of 1 to {most}")

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        return (images + self.delta * self.pattern(shape_of(images)).to(images)).clamp(0, 1)

    def pattern(self, image_shape: tuple[int, int, int]) -> Tensor:
        """The pattern (C, H, W) in -1..1: a sum of the first cosines of each axis, without the constant one."""
        channels, height, width = image_shape
        weights = np.random.default_rng(self.pattern_seed).standard_normal((channels, self.waves + 1, self.waves + 1))
        weights[:, 0, 0] = 0
        down, right = (
            np.cos(np.pi * np.outer(np.arange(self.waves + 1), np.arange(n) + 0.5) / n) for n in (height, width)
        )
        smooth = np.einsum("cuv,uy,vx->cyx", weights, down, right)
        return torch.from_numpy((smooth / np.abs(smooth).max()).astype(np.float32))
