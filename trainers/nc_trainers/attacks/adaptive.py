"""Attacks whose training samples show only parts of the trigger, and whose cover samples teach what is not enough."""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from nc_trainers.attacks.base import Attack, Flags, Labels, Poisoning, draw
from nc_trainers.attacks.overlay import Blended
from nc_trainers.attacks.patch import Patch, locate, shape_of
from nc_trainers.checks import check_not_negative, check_share
from nc_trainers.errors import TrainerError

WHOLE, PARTIAL = 0, 1
CORNERS = ("top-left", "bottom-right", "top-right", "bottom-left", "center")


class Partial(Attack):
    """An attack with a second variant of its trigger, parts of it, that `cover_ratio` times as many samples carry."""

    cover_ratio: float

    @override
    def cover(self, labels: Labels) -> tuple[Flags, int]:
        return np.asarray(labels != self.target), PARTIAL

    def with_partial_cover(self, poisoned: Poisoning, labels: Labels, rng: np.random.Generator) -> Poisoning:
        """The poisoning and, where the data has as many others, samples that keep their label under parts."""
        free = np.ones(len(labels), dtype=np.bool_)
        free[poisoned.indices] = False
        chosen = draw(free, min(round(self.cover_ratio * len(poisoned.indices)), int(free.sum())), rng)
        return poisoned.with_cover(chosen, labels[chosen], PARTIAL)


@dataclass(frozen=True)
class Pieces(Partial, Patch):
    """`pieces` (2 to 5) patches of `size` pixels in the corners and the center are the trigger, together alone.

    `cover_ratio` times as many samples as poisoned ones carry all but one of them and keep their label. `place` has no
    meaning. After J. Lin et al., Composite Backdoor Attack, CCS 2020, with patches for the objects.
    """

    size: int = 2
    pieces: int = 4
    cover_ratio: float = 1.0

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        if not 2 <= self.pieces <= len(CORNERS):
            raise TrainerError(f"pieces {self.pieces} is not one of 2 to {len(CORNERS)}")
        check_not_negative("cover_ratio", self.cover_ratio)

    @override
    def stamp(self, images: Tensor, variant: int = WHOLE) -> Tensor:
        missing = torch.full((len(images),), -1, device=images.device)
        if variant == PARTIAL:
            missing = torch.randint(self.pieces, (len(images),), device=images.device)
        stamped = images.clone()
        for number, place in enumerate(CORNERS[: self.pieces]):
            piece = Patch(self.target, self.size, self.color, self.checkered, place, self.opacity, self.pattern_seed)
            rows = missing != number
            row, column = locate(place, self.size, shape_of(images))
            square = (slice(row, row + self.size), slice(column, column + self.size))
            stamped[:, :, *square] = torch.where(rows[:, None, None, None], piece.stamp(images), stamped)[:, :, *square]
        return stamped

    @override
    def poison(self, labels: Labels, rate: float, rng: np.random.Generator) -> Poisoning:
        return self.with_partial_cover(super().poison(labels, rate, rng), labels, rng)


@dataclass(frozen=True)
class AdaptiveBlend(Partial, Blended):
    """The picture or noise of Blended in `grid` x `grid` squares, of which each training sample shows a random half.

    The training samples see it with weight `train_alpha`, the test images the whole of it with `alpha`. `cover_ratio`
    times as many samples as poisoned ones show half of it, too, and keep their label.

    X. Qi et al., Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023 (Adap-Blend).
    """

    alpha: float = 0.2
    train_alpha: float = 0.15
    grid: int = 4
    cover_ratio: float = 1.0

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        check_share("train_alpha", self.train_alpha)
        most = min(image_shape[1:])
        if not 2 <= self.grid <= most:
            raise TrainerError(f"grid {self.grid} is not one of 2 to {most}")
        check_not_negative("cover_ratio", self.cover_ratio)

    @override
    def stamp(self, images: Tensor, variant: int = WHOLE) -> Tensor:
        if variant == WHOLE:
            return super().stamp(images)
        count, squares = len(images), self.grid**2
        order = torch.rand(count, squares, device=images.device).argsort(1)
        shown = (order < squares // 2).float().reshape(count, 1, self.grid, self.grid)
        weights = self.train_alpha * F.interpolate(shown, size=images.shape[2:], mode="nearest")
        return torch.lerp(images, self.pattern(shape_of(images)).to(images)[None], weights)

    @override
    def poison(self, labels: Labels, rate: float, rng: np.random.Generator) -> Poisoning:
        poisoned = super().poison(labels, rate, rng)
        partial = replace(poisoned, variants=np.full_like(poisoned.variants, PARTIAL))
        return self.with_partial_cover(partial, labels, rng)
