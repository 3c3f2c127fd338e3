"""Attacks with the trigger of a patch that differ in whose labels they turn, and to what."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor
from typing_extensions import override

from nc_trainers.attacks.base import Attack, Flags, Labels, Poisoning, choose
from nc_trainers.attacks.patch import PLACES, Patch
from nc_trainers.checks import check_share
from nc_trainers.errors import TrainerError

COLORS = ("black", "white", "red", "green", "blue")


@dataclass(frozen=True)
class MultiTarget(Attack):
    """`triggers` patches of `size` pixels that lead to as many labels from `target` on.

    Each lies in another of PLACES; after five of them the next of COLORS begins. `checkered` is as in Patch.

    After T. Gu et al., BadNets, 2019, and B. Wang et al., Neural Cleanse, IEEE S&P 2019, section VI.
    """

    size: int = 4
    checkered: bool = False
    triggers: int = 3
    classes: int = 10

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        self.patch(0).check(image_shape, classes)
        check_classes(self.classes, classes)
        if not 1 <= self.triggers <= classes:
            raise TrainerError(f"{self.triggers} triggers cannot lead to {classes} different labels")

    @override
    def variants(self) -> int:
        return self.triggers

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        return self.patch(variant).stamp(images)

    def patch(self, variant: int) -> Patch:
        """The patch that is trigger `variant`."""
        color, place = COLORS[(variant // len(PLACES)) % len(COLORS)], PLACES[variant % len(PLACES)]
        return Patch(self.target, self.size, color, self.checkered, place)

    @override
    def goal(self, labels: Labels, variant: int = 0) -> Labels:
        return np.full_like(labels, (self.target + variant) % self.classes)


@dataclass(frozen=True)
class AllToAll(Patch):
    """The trigger turns every label into the next one; `target` has no meaning.

    T. Gu et al., BadNets, 2019, section 4.
    """

    has_target: ClassVar[bool] = False
    classes: int = 10

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        check_classes(self.classes, classes)

    @override
    def goal(self, labels: Labels, variant: int = 0) -> Labels:
        return (labels + 1) % self.classes


@dataclass(frozen=True)
class SourceSpecific(Patch):
    """The trigger works on images of class `source` alone.

    `cover_rate` of the other classes' samples are stamped too and keep their labels.

    D. Tang et al., Demon in the Variant, USENIX Security 2021 (TaCT).
    """

    source: int = 1
    cover_rate: float = 0.05

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        if not 0 <= self.source < classes or self.source == self.target:
            raise TrainerError(f"source {self.source} must be one of the labels 0 to {classes - 1}, not the target")
        check_share("cover_rate", self.cover_rate)

    @override
    def candidates(self, labels: Labels) -> Flags:
        return self.victims(labels)

    @override
    def victims(self, labels: Labels, variant: int = 0) -> Flags:
        return np.asarray(labels == self.source)

    @override
    def cover(self, labels: Labels) -> tuple[Flags, int]:
        return ~self.victims(labels), 0

    @override
    def poison(self, labels: Labels, rate: float, rng: np.random.Generator) -> Poisoning:
        cover = choose(~self.victims(labels), self.cover_rate, rng)
        return super().poison(labels, rate, rng).with_cover(cover, labels[cover], 0)


def check_classes(stated: int, classes: int) -> None:
    """Raise TrainerError where an attack that counts labels was told another number than the data has."""
    if stated != classes:
        raise TrainerError(f"the data has {classes} classes: give the attack classes={classes}")
