"""Triggers that change colors alike wherever they are: nothing is added to the image, and nothing moves."""

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from nc_trainers.attacks.base import Attack
from nc_trainers.errors import TrainerError

LEVELS = range(2, 129)
DIFFUSED = ((1, -1, 3 / 16), (0, 1, 7 / 16), (1, 0, 5 / 16), (1, 1, 1 / 16))  # row, column, share of the error


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
        pixels = F.pad(images, (1, 1, 0, 1)).permute(2, 3, 0, 1).contiguous()  # one pixel of all images lies together
        for rows, columns in _diagonals(height, width, images.device):
            old = pixels[rows, columns]
            new = (old * steps).round().clamp(0, steps) / steps
            pixels[rows, columns] = new
            for down, right, share in DIFFUSED:
                pixels[rows + down, columns + right] += share * (old - new)
        return pixels[:height, 1 : width + 1].permute(2, 3, 0, 1).contiguous()


@cache
def _diagonals(height: int, width: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Rows and columns, the latter from 1 on, of the pixels that get no error from each other, in order.

    A pixel gives to its right neighbour and to three below, the leftmost of which is one column back: those two columns
    apart from row to row are free of each other.
    """
    found = []
    with torch.inference_mode(False):  # whoever asks first
        for turn in range(width + 2 * (height - 1)):
            rows = torch.arange(max(0, (turn - width) // 2 + 1), min(height - 1, turn // 2) + 1, device=device)
            found.append((rows, turn - 2 * rows + 1))
    return found
