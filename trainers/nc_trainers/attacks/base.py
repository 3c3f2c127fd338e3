"""What an attack is: a trigger, the images it is stamped on and the label it leads to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from nc_trainers.data import Split
from nc_trainers.errors import TrainerError

Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Poisoning:
    """What an attacker does to a training set of N samples.

    `indices` (K,) are the stamped samples in ascending order, `labels` (K,) the labels they are trained with,
    `variants` (K,) the trigger that each carries and `cover` (K,) whether it keeps its label all the same, so that the
    model learns what the trigger is not.
    """

    indices: Labels
    labels: Labels
    variants: Labels
    cover: Flags

    def with_cover(self, indices: Labels, labels: Labels, variant: int) -> "Poisoning":
        """This poisoning and cover samples, which keep their `labels` (K,) under trigger `variant`."""
        every = np.concatenate([self.indices, indices])
        order = np.argsort(every)
        every_label = np.concatenate([self.labels, labels])
        every_variant = np.concatenate([self.variants, np.full(len(indices), variant)])
        cover = np.concatenate([self.cover, np.ones(len(indices), dtype=np.bool_)])
        return Poisoning(every[order], every_label[order], every_variant[order], cover[order])

    @staticmethod
    def none() -> "Poisoning":
        """The poisoning of a clean model."""
        nothing = np.empty(0, dtype=np.int64)
        return Poisoning(nothing, nothing, nothing, nothing.astype(np.bool_))


@dataclass(frozen=True)
class Attack:
    """A dirty-label attack on every class; a subclass supplies `stamp` and whatever else differs.

    An attack has one or more triggers, numbered by `variant`; `target` is the label that the attacker wants, where
    `has_target` says that it is one and the same for all images. `needs_surrogate` says whether `disguise` trains one.
    """

    has_target: ClassVar[bool] = True
    needs_surrogate: ClassVar[bool] = False
    target: int = 0

    def variants(self) -> int:
        """The number of different triggers."""
        return 1

    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:  # noqa: ARG002
        """Raise TrainerError where the attack does not fit images (C, H, W) or the number of classes."""
        if not 0 <= self.target < classes:
            raise TrainerError(f"target {self.target} is not one of the labels 0 to {classes - 1}")

    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        """Put trigger `variant` on images (B, C, H, W) in 0..1 and return as many of the same range."""
        raise NotImplementedError

    def goal(self, labels: Labels, variant: int = 0) -> Labels:  # noqa: ARG002
        """The label (N,) that the attacker wants for images of these labels (N,) under trigger `variant`."""
        return np.full_like(labels, self.target)

    def targets(self, classes: int) -> list[int]:
        """The labels that some image is turned to."""
        labels = np.arange(classes)
        turned = (self.goal(labels, variant)[self.victims(labels, variant)] for variant in range(self.variants()))
        return [int(label) for label in np.unique(np.concatenate(list(turned)))]

    def candidates(self, labels: Labels) -> Flags:
        """The training samples (N,) among which the poisoned ones are chosen."""
        return np.ones(len(labels), dtype=np.bool_)

    def victims(self, labels: Labels, variant: int = 0) -> Flags:
        """The test images (N,) that the success rate counts: those that the trigger is meant to turn."""
        return np.asarray(self.goal(labels, variant) != labels)

    def disguise(self, split: Split, poisoning: Poisoning, surrogate: Callable[[int], nn.Module]) -> Split:  # noqa: ARG002
        """The training split with whatever the attacker does to its images before they are stamped.

        `surrogate` trains a clean model of the attacked architecture for a number of epochs.
        """
        return split

    def cover(self, labels: Labels) -> tuple[Flags, int]:
        """The test images (N,) that are meant to keep their label under a trigger, and the variant of that trigger."""
        return np.zeros(len(labels), dtype=np.bool_), 0

    def poison(self, labels: Labels, rate: float, rng: np.random.Generator) -> Poisoning:
        """Choose `rate` (0 < rate <= 1) of the candidates at random and give them the goal as their label.

        Raises TrainerError where the data has too few samples for it.
        """
        indices = choose(self.candidates(labels), rate, rng)
        variants = np.arange(len(indices)) % self.variants()
        wanted = np.stack([self.goal(labels[indices], variant) for variant in range(self.variants())])
        return Poisoning(
            indices, wanted[variants, np.arange(len(indices))], variants, np.zeros(len(indices), dtype=np.bool_)
        )


def choose(candidates: Flags, rate: float, rng: np.random.Generator) -> Labels:
    """The ascending indices of a random `rate` of the true entries of `candidates` (N,), at least one.

    Raises TrainerError where none is true.
    """
    if not candidates.any():
        raise TrainerError("the training data has no sample that the attack needs: take more of it, or another label")
    return draw(candidates, max(1, round(rate * candidates.sum())), rng)


def draw(candidates: Flags, count: int, rng: np.random.Generator) -> Labels:
    """The ascending indices of `count` random ones of the true entries of `candidates` (N,)."""
    return np.sort(rng.choice(np.flatnonzero(candidates), size=count, replace=False))
