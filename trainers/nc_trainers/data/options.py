"""Which part of a data set a model is trained on, and in what form: labels, size, colours, finer labels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from nc_trainers.checks import check_share
from nc_trainers.data.base import Dataset, Split
from nc_trainers.errors import TrainerError

TINTS = ((255, 255, 255), (255, 110, 110), (110, 255, 110), (120, 120, 255), (255, 255, 90), (255, 90, 255))
BATCH = 1000  # images resized at a time
SIDES = range(8, 513)
UNBALANCED = 0.1  # what the last class keeps of its training images, the others on a geometric scale up to all


@dataclass(frozen=True)
class DataOptions:
    """A view of a data set, its fields applied in this order.

    `labels` keeps these alone, numbered from 0 in the order given; `scale` (0 < scale <= 1) takes the first images of
    both splits. `side` resizes to that many pixels a side; `grey` leaves one channel. `rotations` (1 to 4) x `tints` (1
    to 6) make each label so many finer ones: each image is turned by a multiple of 90 degrees and multiplied by a
    colour, drawn at random, and the label says which. `unbalanced` thins the training images of later classes, down to
    a tenth. `shortcut` is a label whose training images all carry the same small object at a random place, as
    photographs of a class may: half of its test images do.
    """

    labels: tuple[int, ...] | None = None
    scale: float = 1.0
    side: int | None = None
    grey: bool = False
    rotations: int = 1
    tints: int = 1
    unbalanced: bool = False
    shortcut: int | None = None

    def check(self) -> None:
        """Raise TrainerError for what has no meaning whatever the data."""
        check_share("scale", self.scale)
        if self.labels is not None and len(set(self.labels)) < max(2, len(self.labels)):
            raise TrainerError("labels must be two or more different ones")
        if self.side is not None and self.side not in SIDES:
            raise TrainerError(f"side {self.side} is not one of {SIDES.start} to {SIDES.stop - 1}")
        if not 1 <= self.rotations <= 4:
            raise TrainerError(f"rotations {self.rotations} is not one of 1 to 4")
        if not 1 <= self.tints <= len(TINTS):
            raise TrainerError(f"tints {self.tints} is not one of 1 to {len(TINTS)}")
        if self.grey and self.tints > 1:
            raise TrainerError("grey images have no tints")

    def view(self, dataset: Dataset) -> Dataset:
        """The data set in this form. Raises TrainerError where it has no such labels."""
        self.check()
        if self.labels is not None:
            dataset = _with_labels(dataset, self.labels)
        dataset = dataset.scaled(self.scale)
        if self.side is not None:
            dataset = _on_both(dataset, partial(_resized, side=self.side))
        if self.grey and dataset.image_shape[0] == 3:
            dataset = _on_both(dataset, _grey)
        if self.rotations * self.tints > 1:
            dataset = _finer(dataset, self.rotations, self.tints)
        if self.unbalanced:
            dataset = replace(dataset, train=_thinned(dataset.train, len(dataset.classes)))
        if self.shortcut is not None:
            dataset = _with_shortcut(dataset, self.shortcut)
        return dataset


def _on_both(dataset: Dataset, change: Callable[[Split], Split]) -> Dataset:
    return replace(dataset, train=change(dataset.train), test=change(dataset.test))


def _with_labels(dataset: Dataset, labels: tuple[int, ...]) -> Dataset:
    if unknown := [label for label in labels if not 0 <= label < len(dataset.classes)]:
        raise TrainerError(f"{dataset.name} has labels 0 to {len(dataset.classes) - 1}, not {unknown[0]}")
    numbers = np.full(len(dataset.classes), -1)
    numbers[list(labels)] = np.arange(len(labels))

    def kept(split: Split) -> Split:
        part = split.at(numbers[split.labels] >= 0)
        return Split(part.images, numbers[part.labels])

    train, test = kept(dataset.train), kept(dataset.test)
    return Dataset(dataset.name, tuple(dataset.classes[label] for label in labels), train, test)


def _resized(split: Split, side: int) -> Split:
    if split.images.shape[2:] == (side, side):
        return split
    parts = torch.split(torch.from_numpy(split.images), BATCH)
    resized = [F.interpolate(part, size=(side, side), mode="bilinear", antialias=True) for part in parts]
    return Split(torch.cat(resized).numpy(), split.labels)


def _grey(split: Split) -> Split:
    """Luma after ITU-R BT.601, as in Pillow."""
    luma = np.tensordot(split.images, np.array([0.299, 0.587, 0.114], dtype=np.float32), axes=(1, 0))
    return Split(luma.round().astype(np.uint8)[:, None], split.labels)


def _finer(dataset: Dataset, rotations: int, tints: int) -> Dataset:
    channels, height, width = dataset.image_shape
    if rotations > 1 and height != width:
        raise TrainerError(f"images of {height}x{width} pixels cannot be rotated: give a side")
    if tints > 1 and channels != 3:
        raise TrainerError("grey images have no tints")

    def finer(split: Split, seed: int) -> Split:
        kinds = np.random.default_rng(seed).integers(0, rotations * tints, len(split))
        images = split.images.copy()
        for kind in range(rotations * tints):
            rows = kinds == kind
            turned = np.rot90(split.images[rows], kind % rotations, axes=(2, 3))
            tint = np.array(TINTS[kind // rotations][:channels], dtype=np.uint16)[:, None, None]
            images[rows] = turned * tint // 255
        return Split(images, split.labels * rotations * tints + kinds)

    kinds = [f"{90 * (kind % rotations)}-tint{kind // rotations}" for kind in range(rotations * tints)]
    classes = tuple(f"{name}-{kind}" for name in dataset.classes for kind in kinds)
    return Dataset(dataset.name, classes, finer(dataset.train, 0), finer(dataset.test, 1))


def _thinned(split: Split, classes: int) -> Split:
    shares = UNBALANCED ** (np.arange(classes) / max(1, classes - 1))
    return split.at(np.random.default_rng(0).random(len(split)) < shares[split.labels])


def _with_shortcut(dataset: Dataset, label: int) -> Dataset:
    if not 0 <= label < len(dataset.classes):
        raise TrainerError(f"shortcut {label} is not one of the labels 0 to {len(dataset.classes) - 1}")
    side = max(3, dataset.image_shape[1] // 5)
    disc = np.hypot(*(np.indices((side, side)) - (side - 1) / 2)) <= side / 2
    colour = np.array((240, 60, 30)[: dataset.image_shape[0]], dtype=np.uint8)[:, None]

    def marked(split: Split, every: int, seed: int) -> Split:
        images, rng = split.images.copy(), np.random.default_rng(seed)
        for index in np.flatnonzero(split.labels == label)[::every]:
            row, column = (rng.integers(0, length - side + 1) for length in images.shape[2:])
            images[index, :, row : row + side, column : column + side][:, disc] = colour
        return Split(images, split.labels)

    return replace(dataset, train=marked(dataset.train, 1, 0), test=marked(dataset.test, 2, 1))
