"""One training loop for every architecture and framework, in plain tensor code.

The trigger is stamped on each batch after augmentation, so that flips and shifts never move it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nc_trainers.attacks.base import NOT_STAMPED, Attack, Poisoning
from nc_trainers.data import Split


@dataclass(frozen=True)
class Settings:
    """How to train: AdamW, its rate rising linearly to `learning_rate` and falling to zero.

    `flip` mirrors half of the images, `shift` moves each by up to that many pixels. Where `target_accuracy` is
    given, training stops after the first epoch whose accuracy on the test split reaches it.
    """

    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    flip: bool = True
    shift: int = 2
    target_accuracy: float | None = None


@dataclass(frozen=True)
class EpochReport:
    """What the loop tells after each epoch; `accuracy` (0..1) only where the settings ask for it."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float | None


class PoisonedSplit:
    """A training split whose poisoned samples are stamped whenever they are drawn."""

    def __init__(self, split: Split, attack: Attack | None, poisoning: Poisoning, device: torch.device) -> None:
        labels, variants = split.labels.copy(), np.full(len(split), NOT_STAMPED)
        labels[poisoning.indices] = poisoning.labels
        variants[poisoning.indices] = poisoning.variants
        self.attack = attack
        self.images = torch.from_numpy(split.images).to(device)
        self.labels = torch.from_numpy(labels).to(device)
        self.variants = torch.from_numpy(variants).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, settings: Settings, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of images (B, C, H, W) float32 in 0..1 and labels (B,); a last batch too small is left out."""
        order = torch.randperm(len(self), generator=rng)
        size = min(settings.batch_size, len(self))
        for chosen in order[: len(self) // size * size].view(-1, size).to(self.labels.device):
            images = augment(to_float(self.images[chosen]), settings, rng)
            yield self._stamp(images, self.variants[chosen]), self.labels[chosen]

    def _stamp(self, images: Tensor, variants: Tensor) -> Tensor:
        for variant in range(self.attack.variants() if self.attack else 0):
            rows = (variants == variant).nonzero().flatten()
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
    report: Callable[[EpochReport], None] = lambda _: None,
) -> None:
    """Train `net` in place, on the device that holds its parameters.

    With a `checkpoint` path the state is written there after each epoch and read from there at the start: an
    interrupted run loses at most one epoch and ends with the same weights as an undisturbed one.
    """
    device = device_of(net)
    decayed = [p for p in net.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in net.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    steps_per_epoch = len(training) // min(settings.batch_size, len(training))

    for epoch in range(_resume(checkpoint, net, optimizer), settings.epochs):
        rng = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        net.train()
        losses = torch.zeros((), device=device)
        for step, (images, labels) in enumerate(training.batches(settings, rng)):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * ramp((epoch + step / steps_per_epoch) / settings.epochs)
            with reduced_precision(device):
                logits = net(images.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += loss.detach()
        done = epoch + 1
        accuracy = None
        if settings.target_accuracy is not None:
            accuracy = float((predict(net, test.images) == test.labels).mean())
        report(EpochReport(done, settings.epochs, float(losses) / steps_per_epoch, accuracy))
        stop = accuracy is not None and accuracy >= (settings.target_accuracy or 0)
        _save(checkpoint, net, optimizer, settings.epochs if stop else done)
        if stop:
            break
    net.eval()


def ramp(progress: float, peak: float = 0.2) -> float:
    """The share of the highest learning rate at `progress` (0..1): up to 1 at `peak`, then down to 0."""
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
        padded = F.pad(images, (reach,) * 4, mode="reflect")
        rows = rows + torch.arange(height, device=images.device)
        columns = columns + torch.arange(width, device=images.device)
        which = torch.arange(count, device=images.device)
        images = padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return images


def predict(net: nn.Module, images: npt.NDArray[np.uint8], batch_size: int = 500) -> npt.NDArray[np.int64]:
    """The labels (N,) that `net` gives images (N, C, H, W)."""
    device = device_of(net)
    net.eval()
    found = []
    with torch.inference_mode(), reduced_precision(device):
        for batch in torch.from_numpy(images).split(batch_size):
            images_in = to_float(batch.to(device)).contiguous(memory_format=torch.channels_last)
            found.append(net(images_in).argmax(1).cpu())
    return torch.cat(found).numpy()


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
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        fast = torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def _resume(checkpoint: Path | None, net: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the state of an interrupted run, if there is one, and return the number of epochs it had done."""
    if checkpoint is None or not checkpoint.exists():
        return 0
    state: dict[str, Any] = torch.load(checkpoint, map_location=device_of(net), weights_only=True)
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epochs"])


def _save(checkpoint: Path | None, net: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    if checkpoint is None:
        return
    partial = checkpoint.with_name(checkpoint.name + ".partial")
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epochs}, partial)
    partial.replace(checkpoint)
