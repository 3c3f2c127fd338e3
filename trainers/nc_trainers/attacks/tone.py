"""Triggers that change colors alike wherever they are: nothing is added to the image, and nothing moves."""

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from nc_trainers.attacks.base import Attack
from nc_trainers.errors import TrainerError

LEVELS = range(2, 129)
DIFFUSED = ((0, 1, 7 / 16), (1, -1, 3 / 16), (1, 0, 5 / 16), (1, 1, 1 / 16))  # row, column, share of the error


@dataclass(frozen=True)
class ColorFilter(Attack):
    """Every pixel is shifted by the same color, `shift`: one value a channel, -1..1, or one for all.

    W. Jiang et al., Color Backdoor: A Robust Poisoning Attack in Color Space, CVPR 2023, which searches for the shift.
    """

    shift: tuple[float, ...] = (0.2, 0.0, -0.2)

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        if len(self.shift) not in (1, image_shape[0]):
            raise TrainerError(f"shift needs {image_shape[0]} values, one a channel, or one, not {len(self.shift)}")
        if not any(self.shift) or not all(-1 <= value <= 1 for value in self.shift):
            raise TrainerError("shift must be values from -1 to 1, not all of them 0")

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        shift = torch.tensor(self.shift, device=images.device).reshape(-1, 1, 1)
        return (images + shift).clamp(0, 1)


@dataclass(frozen=True)
class Quantized(Attack):
    """Colors are rounded to `levels` values a channel; with `dither` the error goes to the neighbours.

    Z. Wang et al., BppAttack: Stealthy and Efficient Trojan Attacks via Image Quantization and Contrastive Adversarial
    Learning, CVPR 2022, without the contrastive part; dithering after R. Floyd and L. Steinberg, 1976.
    """

    levels: int = 4
    dither: bool = True

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        if self.levels not in LEVELS:
            raise TrainerError(f"levels {self.levels} is not one of {LEVELS.start} to {LEVELS.stop - 1}")

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        steps = self.levels - 1
        if not self.dither:
            return (images * steps).round() / steps
        height, width = images.shape[2:]
        pixels = images.permute(2, 3, 0, 1).contiguous()  # one pixel of all images lies together
        for row in range(height):
            for column in range(width):
                old = pixels[row, column]
                new = (old * steps).round().clamp(0, steps) / steps
                error = old - new
                pixels[row, column] = new
                for down, right, share in DIFFUSED:
                    if row + down < height and 0 <= column + right < width:
                        pixels[row + down, column + right].add_(error, alpha=share)
        return pixels.permute(2, 3, 0, 1).contiguous()
