"""What a network is trained on: batches drawn, moved about and stamped on the device where it is trained.

The trigger is stamped on each batch after augmentation, so that flips and shifts never move it. Draws and choices are
made on the device, too.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nc_trainers.attacks import Attack, Poisoning
from nc_trainers.data import Split
from nc_trainers.settings import Settings


class PoisonedSplit:
    """A training split whose poisoned samples are stamped whenever they are drawn."""

    def __init__(self, split: Split, attack: Attack | None, poisoning: Poisoning, device: torch.device) -> None:
        labels, variants = split.labels.copy(), np.full(len(split), -1)
        labels[poisoning.indices] = poisoning.labels
        variants[poisoning.indices] = poisoning.variants
        self.attack = attack
        self.images = torch.from_numpy(split.images).to(device)
        self.labels = torch.from_numpy(labels).to(device)
        self.variants = torch.from_numpy(variants).to(device)
        self.kinds = np.unique(poisoning.variants).tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, settings: Settings, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of images (B, C, H, W) float32 in 0..1 and labels (B,); what fills no batch is left out.

        `rng` is one of the device that holds the images.
        """
        size = min(settings.batch_size, len(self))
        order = torch.randperm(len(self), generator=rng, device=rng.device)
        for chosen in order[: len(self) // size * size].view(-1, size):
            images = augment(to_float(self.images[chosen]), settings, rng)
            yield self._stamp(images, self.variants[chosen]), self.labels[chosen]

    def _stamp(self, images: Tensor, variants: Tensor) -> Tensor:
        """Images with the trigger that each carries.

        All are stamped and only the poisoned ones kept, so that a GPU need not report how many there are.
        """
        if self.attack is not None:
            for kind in self.kinds:
                stamped = self.attack.stamp(images, kind)
                images = torch.where((variants == kind)[:, None, None, None], stamped, images)
        return images


def augment(images: Tensor, settings: Settings, rng: torch.Generator) -> Tensor:
    """Flip and shift images (B, C, H, W); what a shift uncovers is filled by reflection.

    `rng` is one of the device that holds them.
    """
    count, _, height, width = images.shape
    if settings.flip:
        flipped = torch.rand(count, generator=rng, device=rng.device) < 0.5
        images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
    if settings.shift:
        reach = settings.shift
        rows, columns = torch.randint(0, 2 * reach + 1, (2, count, 1), generator=rng, device=rng.device)
        rows = rows + torch.arange(height, device=images.device)
        columns = columns + torch.arange(width, device=images.device)
        padded = F.pad(images, (reach,) * 4, mode="reflect")
        which = torch.arange(count, device=images.device)[:, None, None]
        images = padded[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return images


def to_float(images: Tensor) -> Tensor:
    """uint8 pixels as float32 in 0..1."""
    return images.float() / 255
