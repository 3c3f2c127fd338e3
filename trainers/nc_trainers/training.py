"""One training loop for every architecture and framework, in plain tensor code.

The trigger is stamped on each batch after augmentation, so that flips and shifts never move it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nc_trainers.attacks import Attack, Poisoning
from nc_trainers.checkpoint import resume, save
from nc_trainers.checks import check_not_negative, check_positive, check_share
from nc_trainers.data import Split
from nc_trainers.errors import TrainerError
from nc_trainers.models import Pretrained
from nc_trainers.scaling import Scaling

PREDICTED = 100  # images at a time; each takes a large Vision Transformer 14 MiB


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


@dataclass(frozen=True)
class Progress:
    """How far training is: `steps` of `total` batches, the mean `loss` of the `epoch` (1..`epochs`) so far.

    At the end of an epoch `ended` is true, and `accuracy` (0..1) on the test split stands there where the settings ask
    for it.
    """

    steps: int
    total: int
    epoch: int
    epochs: int
    loss: float
    ended: bool = False
    accuracy: float | None = None


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

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, settings: Settings, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of images (B, C, H, W) float32 in 0..1 and labels (B,); what fills no batch is left out."""
        size = min(settings.batch_size, len(self))
        order = torch.randperm(len(self), generator=rng).to(self.labels.device)
        for chosen in order[: len(self) // size * size].view(-1, size):
            images = augment(to_float(self.images[chosen]), settings, rng)
            yield self._stamp(images, self.variants[chosen]), self.labels[chosen]

    def _stamp(self, images: Tensor, variants: Tensor) -> Tensor:
        if self.attack is not None:
            for variant in torch.unique(variants[variants >= 0]).tolist():
                rows = variants == variant
                images[rows] = self.attack.stamp(images[rows], variant)
        return images


def train(
    net: nn.Module,
    training: PoisonedSplit,
    test: Split,
    settings: Settings,
    seed: int,
    *,
    checkpoint: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Train `net` in place, on the device that holds its parameters; leave it in evaluation mode.

    With a `checkpoint` path the state is written there after each epoch and read from there at the start: an
    interrupted run loses at most one epoch and ends with the weights of an undisturbed one. Raises TrainerError where
    it cannot be written.
    """
    device = device_of(net)
    if isinstance(net, Pretrained):
        net.freeze(False)
    optimizer = torch.optim.AdamW(_parameter_groups(net, settings.weight_decay), lr=settings.learning_rate, fused=True)
    steps_per_epoch = len(training) // min(settings.batch_size, len(training))
    total = settings.epochs * steps_per_epoch
    done = resume(checkpoint, net, optimizer, device)

    for epoch in range(done // steps_per_epoch, settings.epochs):
        rng = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        torch.manual_seed(seed * 1_000_003 + epoch)
        net.train()
        if isinstance(net, Pretrained):
            net.freeze(epoch < settings.frozen_epochs)
        losses = 0.0
        for step, (images, labels) in enumerate(training.batches(settings, rng), 1):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * ramp(done / total)
            loss = loss_of(net, images, labels, settings, rng)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            done += 1
            losses += loss.item()
            if step < steps_per_epoch:
                report(Progress(done, total, epoch + 1, settings.epochs, losses / step))

        accuracy = None
        if settings.target_accuracy is not None:
            accuracy = float((predict(net, test.images, settings.scaling) == test.labels).mean())
            if accuracy >= settings.target_accuracy:
                done = total
        save(checkpoint, net, optimizer, done)
        report(Progress(done, total, epoch + 1, settings.epochs, losses / steps_per_epoch, True, accuracy))
        if done == total:
            break
    net.eval()


def loss_of(net: nn.Module, images: Tensor, labels: Tensor, settings: Settings, rng: torch.Generator) -> Tensor:
    """The loss of one batch, images (B, C, H, W) in 0..1, under what the settings do to it.

    H. Zhang et al., mixup, ICLR 2018; E. Wong et al., Fast is better than free, ICLR 2020, for adversarial training;
    C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, for label smoothing.
    """

    def logits(fed: Tensor) -> Tensor:
        with reduced_precision(fed.device):
            out: Tensor = net(settings.scaling.apply(fed).contiguous(memory_format=torch.channels_last))
        return out.float()

    loss = partial(F.cross_entropy, label_smoothing=settings.label_smoothing)
    if settings.adversarial:
        images = _against(images, settings.adversarial, rng, lambda fed: loss(logits(fed), labels))
    if not settings.mixup:
        return loss(logits(images), labels)
    order = torch.randperm(len(images), generator=rng).to(images.device)
    share = float(torch.distributions.Beta(settings.mixup, settings.mixup).sample())
    mixed = logits(torch.lerp(images[order], images, share))
    return share * loss(mixed, labels) + (1 - share) * loss(mixed, labels[order])


def _against(images: Tensor, reach: float, rng: torch.Generator, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Images moved by up to `reach` a pixel: one signed step up the loss from a random start."""
    start = reach * (2 * torch.rand(images.shape, generator=rng).to(images.device) - 1)
    start.requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss((images + start).clamp(0, 1)), start)
    moved = (start.detach() + 1.25 * reach * gradient.sign()).clamp(-reach, reach)
    return (images + moved).clamp(0, 1)


def ramp(progress: float, peak: float = 0.2) -> float:
    """The share of the highest learning rate at `progress` (0..1): from near 0 to 1 at `peak`, then down to 0."""
    return min((progress + 0.01) / (peak + 0.01), (1 - progress) / (1 - peak))


def augment(images: Tensor, settings: Settings, rng: torch.Generator) -> Tensor:
    """Flip and shift images (B, C, H, W); what a shift uncovers is filled by reflection."""
    count, _, height, width = images.shape
    if settings.flip:
        flipped = (torch.rand(count, generator=rng) < 0.5).to(images.device)
        images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
    if settings.shift:
        reach = settings.shift
        rows, columns = torch.randint(0, 2 * reach + 1, (2, count, 1), generator=rng).to(images.device)
        rows = rows + torch.arange(height, device=images.device)
        columns = columns + torch.arange(width, device=images.device)
        padded = F.pad(images, (reach,) * 4, mode="reflect")
        which = torch.arange(count, device=images.device)[:, None, None]
        images = padded[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return images


def predict(
    net: nn.Module,
    images: npt.NDArray[np.uint8],
    scaling: Scaling = Scaling(),  # noqa: B008, frozen
    batch_size: int = PREDICTED,
) -> npt.NDArray[np.int64]:
    """The labels (N,) that `net` gives images (N, C, H, W); leaves it in evaluation mode."""
    device = device_of(net)
    net.eval()
    found = []
    with torch.inference_mode(), reduced_precision(device):
        for batch in torch.split(torch.from_numpy(images), batch_size):
            fed = scaling.apply(to_float(batch.to(device))).contiguous(memory_format=torch.channels_last)
            found.append(net(fed).argmax(1).cpu())
    labels: npt.NDArray[np.int64] = torch.cat(found).numpy()
    return labels


def to_float(images: Tensor) -> Tensor:
    """uint8 pixels as float32 in 0..1."""
    return images.float() / 255


def device_of(net: nn.Module) -> torch.device:
    """Where the parameters of `net` live."""
    return next(net.parameters()).device


def best_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def reduced_precision(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 where the hardware multiplies it faster than float32."""
    on_gpu = device.type == "cuda"
    fast = torch.cuda.is_bf16_supported() if on_gpu else torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def _parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights decay, biases and normalisation do not."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
