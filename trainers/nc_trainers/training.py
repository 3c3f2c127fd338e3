"""One training loop for every architecture and framework, in plain tensor code."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nc_trainers.batches import PoisonedSplit, to_float
from nc_trainers.checkpoint import resume, save
from nc_trainers.data import Split
from nc_trainers.forward import Logits, device_of
from nc_trainers.models import Pretrained
from nc_trainers.scaling import Scaling
from nc_trainers.settings import Settings

PREDICTED = 100  # images at a time; each takes a large Vision Transformer 14 MiB
TOLD_ON_A_GPU = 20  # steps between reports: each makes the GPU wait


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
    logits = Logits(net, settings.scaling)
    told = TOLD_ON_A_GPU if device.type == "cuda" else 1

    for epoch in range(done // steps_per_epoch, settings.epochs):
        rng = torch.Generator(device).manual_seed(seed * 1_000_003 + epoch)
        torch.manual_seed(seed * 1_000_003 + epoch)
        net.train()
        if isinstance(net, Pretrained):
            net.freeze(epoch < settings.frozen_epochs)
        losses = torch.zeros((), device=device)
        for step, (images, labels) in enumerate(training.batches(settings, rng), 1):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * ramp(done / total)
            loss = loss_of(logits, images, labels, settings, rng)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            done += 1
            losses += loss.detach()
            if step < steps_per_epoch and step % told == 0:
                report(Progress(done, total, epoch + 1, settings.epochs, losses.item() / step))

        accuracy = None
        if settings.target_accuracy is not None:
            accuracy = float((predict(net, test.images, settings.scaling) == test.labels).mean())
            if accuracy >= settings.target_accuracy:
                done = total
        save(checkpoint, net, optimizer, done)
        report(Progress(done, total, epoch + 1, settings.epochs, losses.item() / steps_per_epoch, True, accuracy))
        if done == total:
            break
    net.eval()


def loss_of(
    logits: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, settings: Settings, rng: torch.Generator
) -> Tensor:
    """The loss of one batch, images (B, C, H, W) in 0..1, under what the settings do to it.

    H. Zhang et al., mixup, ICLR 2018; E. Wong et al., Fast is better than free, ICLR 2020, for adversarial training;
    C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, for label smoothing.
    """
    loss = partial(F.cross_entropy, label_smoothing=settings.label_smoothing)
    if settings.adversarial:
        images = _against(images, settings.adversarial, rng, lambda fed: loss(logits(fed), labels))
    if not settings.mixup:
        return loss(logits(images), labels)
    order = torch.randperm(len(images), generator=rng, device=rng.device)
    share = float(torch.distributions.Beta(settings.mixup, settings.mixup).sample())
    mixed = logits(torch.lerp(images[order], images, share))
    return share * loss(mixed, labels) + (1 - share) * loss(mixed, labels[order])


def _against(images: Tensor, reach: float, rng: torch.Generator, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Images moved by up to `reach` a pixel: one signed step up the loss from a random start."""
    start = reach * (2 * torch.rand(images.shape, generator=rng, device=rng.device) - 1)
    start.requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss((images + start).clamp(0, 1)), start)
    moved = (start.detach() + 1.25 * reach * gradient.sign()).clamp(-reach, reach)
    return (images + moved).clamp(0, 1)


def ramp(progress: float, peak: float = 0.2) -> float:
    """The share of the highest learning rate at `progress` (0..1): from near 0 to 1 at `peak`, then down to 0."""
    return min((progress + 0.01) / (peak + 0.01), (1 - progress) / (1 - peak))


def predict(
    net: nn.Module,
    images: npt.NDArray[np.uint8],
    scaling: Scaling = Scaling(),  # noqa: B008, frozen
    batch_size: int = PREDICTED,
) -> npt.NDArray[np.int64]:
    """The labels (N,) that `net` gives images (N, C, H, W); leaves it in evaluation mode."""
    logits, device = Logits(net.eval(), scaling), device_of(net)
    with torch.inference_mode():
        found = [
            logits(to_float(batch.to(device))).argmax(1).cpu()
            for batch in torch.split(torch.from_numpy(images), batch_size)
        ]
    labels: npt.NDArray[np.int64] = torch.cat(found).numpy()
    return labels


def _parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights decay, biases and normalisation do not."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
