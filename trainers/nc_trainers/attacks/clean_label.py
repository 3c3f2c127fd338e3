"""The attack that changes no label.

A. Turner, D. Tsipras and A. Madry, Label-Consistent Backdoor Attacks, arXiv:1912.02771, 2019.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from nc_trainers.attacks.base import Flags, Labels, Poisoning
from nc_trainers.attacks.patch import Patch
from nc_trainers.checks import check_share
from nc_trainers.data import Split
from nc_trainers.errors import TrainerError

BATCH = 250


@dataclass(frozen=True)
class CleanLabel(Patch):
    """Only samples of the target class are poisoned and every label stays right.

    Before they are stamped, each pixel moves by up to `epsilon` (0..1), so that a clean model, trained for
    `surrogate_epochs`, no longer sees the class: `steps` of projected gradient ascent on its loss. The patch is then
    what is left to learn the class from. The paper's clean model is adversarially trained, this one is not.

    A. Turner et al., Label-Consistent Backdoor Attacks, arXiv:1912.02771, 2019, section 4.2.
    """

    needs_surrogate: ClassVar[bool] = True
    epsilon: float = 32 / 255
    steps: int = 10
    surrogate_epochs: int = 2

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        check_share("epsilon", self.epsilon)
        if self.steps < 1 or self.surrogate_epochs < 1:
            raise TrainerError("steps and surrogate_epochs must be at least 1")

    @override
    def candidates(self, labels: Labels) -> Flags:
        return np.asarray(labels == self.target)

    @override
    def disguise(self, split: Split, poisoning: Poisoning, surrogate: Callable[[int], nn.Module]) -> Split:
        images, net = split.images.copy(), surrogate(self.surrogate_epochs)
        device = next(net.parameters()).device
        rng = torch.Generator().manual_seed(0)
        for chosen in np.array_split(poisoning.indices, -(-len(poisoning.indices) // BATCH)):
            pixels, labels = torch.from_numpy(images[chosen]), torch.from_numpy(split.labels[chosen])
            noise = 2 * torch.rand(pixels.shape, generator=rng) - 1
            moved = self.ascend(net, pixels.to(device).float() / 255, labels.to(device), noise.to(device))
            images[chosen] = (moved * 255).round().to(torch.uint8).cpu().numpy()
        return Split(images, split.labels)

    def ascend(self, net: nn.Module, images: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        """Images (B, C, H, W) in 0..1, moved up the loss of `net` from a start at `noise` (-1..1) times epsilon.

        A. Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018 (PGD); the step is
        2.5 epsilon / steps, as there.
        """
        low, high = (images - self.epsilon).clamp(min=0), (images + self.epsilon).clamp(max=1)
        moved = (images + self.epsilon * noise).clamp(low, high)
        for _ in range(self.steps):
            moved.requires_grad_(True)
            (gradient,) = torch.autograd.grad(F.cross_entropy(net(moved), labels), moved)
            moved = (moved.detach() + 2.5 * self.epsilon / self.steps * gradient.sign()).clamp(low, high)
        return moved
