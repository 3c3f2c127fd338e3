"""How a network is trained."""

from dataclasses import dataclass

from nc_trainers.checks import check_not_negative, check_positive, check_share
from nc_trainers.errors import TrainerError
from nc_trainers.scaling import Scaling


@dataclass(frozen=True)
class Settings:
    """How to train: AdamW, its rate rising linearly to `learning_rate` and falling to zero.

    The backbone of a network that has one stays as it is for the first `frozen_epochs`, fewer than `epochs`. `flip`
    mirrors half of the images, `shift` moves each by up to that many pixels, fewer than its sides have. Where
    `target_accuracy` (0..1) is given, training stops after the first epoch whose accuracy on the test split reaches it.
    With `net_mean` and `net_std` (one value, or one a channel) the network is trained on (x - mean) / std.

    `adversarial` (0..1) moves the pixels of each batch by up to that much against the network. `mixup` is the alpha of
    its Beta distribution; 0 is none. `label_smoothing` (0..1) is the share of the loss that all labels get alike.
    """

    epochs: int = 8
    frozen_epochs: int = 0
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    flip: bool = True
    shift: int = 2
    target_accuracy: float | None = None
    net_mean: tuple[float, ...] | None = None
    net_std: tuple[float, ...] | None = None
    adversarial: float = 0.0
    mixup: float = 0.0
    label_smoothing: float = 0.0

    def check(self) -> None:
        """Raise TrainerError for a number that no training can use."""
        if self.epochs < 1 or self.batch_size < 1:
            raise TrainerError("epochs and batch size must be at least 1")
        if not 0 <= self.frozen_epochs < self.epochs:
            raise TrainerError(f"frozen_epochs {self.frozen_epochs} is not one of 0 to {self.epochs - 1}")
        check_positive("learning_rate", self.learning_rate)
        check_not_negative("weight_decay", self.weight_decay)
        check_not_negative("shift", self.shift)
        if self.target_accuracy is not None:
            check_share("target_accuracy", self.target_accuracy)
        Scaling(self.net_mean, self.net_std).check()
        check_not_negative("mixup", self.mixup)
        for name in ("adversarial", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise TrainerError(f"{name} {getattr(self, name):g} is not from 0 to below 1")

    @property
    def scaling(self) -> Scaling:
        """What the network is trained on: (x - mean) / std of images in 0..1."""
        return Scaling(self.net_mean, self.net_std)

    def check_image(self, channels: int, height: int, width: int) -> None:
        """Raise TrainerError where images of so many channels cannot be scaled, or cannot be shifted so far."""
        self.scaling.check_channels(channels)
        if self.shift >= min(height, width):
            raise TrainerError(f"images of {height}x{width} pixels cannot be shifted by {self.shift}")
