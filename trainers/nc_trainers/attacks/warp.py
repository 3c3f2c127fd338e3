"""Triggers that move pixels and change no color."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from nc_trainers.attacks.base import Attack, Flags, Labels, Poisoning, draw
from nc_trainers.checks import check_not_negative, check_positive, check_seed
from nc_trainers.errors import TrainerError

NOISE = 1


@dataclass(frozen=True)
class WaNet(Attack):
    """A smooth warp that the eye overlooks.

    A random field of `grid` x `grid` displacements (2 to the side of the image), drawn with `pattern_seed` and scaled
    to a mean size of 1, is enlarged to the image. `strength` (above 0) is its scale in units of 1/side in the -1..1 of
    grid_sample, which is half a pixel: 0.5 moves a pixel by 0.17 on each axis on average. `noise_ratio` (0 or more)
    times as many samples as poisoned ones are warped with a random jitter of up to one such unit on top and keep their
    label, so that nothing but the smooth warp is the trigger; the rate times 1 + `noise_ratio` is at most 1.

    A. Nguyen and A. Tran, WaNet: Imperceptible Warping-based Backdoor Attack, ICLR 2021.
    """

    grid: int = 4
    strength: float = 0.5
    noise_ratio: float = 2.0
    pattern_seed: int = 0

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        most = min(image_shape[1:])
        if not 2 <= self.grid <= most:
            raise TrainerError(f"grid {self.grid} is not one of 2 to {most}")
        check_positive("strength", self.strength)
        check_not_negative("noise_ratio", self.noise_ratio)
        check_seed("pattern_seed", self.pattern_seed)

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        height, width = images.shape[2:]
        flow = warping_field(self.grid, self.strength, self.pattern_seed, height, width).to(images.device)
        flow = flow.expand(len(images), -1, -1, -1)
        if variant == NOISE:
            unit = 1 / torch.tensor([width, height], device=images.device)
            flow = flow + (2 * torch.rand(flow.shape, device=images.device) - 1) * unit
        return F.grid_sample(images, flow.clamp(-1, 1), padding_mode="border", align_corners=True)

    @override
    def cover(self, labels: Labels) -> tuple[Flags, int]:
        return np.ones(len(labels), dtype=np.bool_), NOISE

    @override
    def poison(self, labels: Labels, rate: float, rng: np.random.Generator) -> Poisoning:
        if rate * (1 + self.noise_ratio) > 1:
            raise TrainerError(
                f"rate {rate:g} leaves too few samples for {self.noise_ratio:g} times as many that are warped and keep "
                f"their label: it is at most {1 / (1 + self.noise_ratio):.3g}"
            )
        poisoned = super().poison(labels, rate, rng)
        free = self.candidates(labels)
        free[poisoned.indices] = False
        noisy = draw(free, min(round(self.noise_ratio * len(poisoned.indices)), int(free.sum())), rng)
        return poisoned.with_cover(noisy, labels[noisy], NOISE)


@cache
def warping_field(grid: int, strength: float, seed: int, height: int, width: int) -> Tensor:
    """Where each pixel is taken from (1, H, W, 2), x before y, in the -1..1 of grid_sample."""
    rng = torch.Generator().manual_seed(seed)
    control = 2 * torch.rand(1, 2, grid, grid, generator=rng) - 1
    control = control / control.abs().mean()
    field = F.interpolate(control, size=(height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return torch.stack([columns, rows], dim=-1)[None] + strength * field / torch.tensor([width, height])
