"""A data set in memory: uint8 images and their labels, in a training and a test split."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nc_trainers.checks import check_share

HELD_OUT = 10  # where a set has no test split, every tenth image is held out


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) uint8 and their labels (N,) int64."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, count: int) -> "Split":
        """The first `count` samples."""
        return Split(self.images[:count], self.labels[:count])

    def at(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Split":
        """The samples that flags (N,) or indices (K,) choose."""
        return Split(self.images[chosen], self.labels[chosen])

    def held_out(self) -> tuple["Split", "Split"]:
        """All but every HELD_OUT-th sample, and those."""
        out = np.arange(len(self)) % HELD_OUT == HELD_OUT - 1
        return self.at(~out), self.at(out)


@dataclass(frozen=True)
class Dataset:
    """A training and a test split over the same classes."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def scaled(self, scale: float) -> "Dataset":
        """The first `scale` (0 < scale <= 1) of both splits; 1 is the data set itself. Else raises TrainerError."""
        check_share("scale", scale)
        if scale == 1:
            return self
        train, test = (split.take(max(1, round(scale * len(split)))) for split in (self.train, self.test))
        return replace(self, train=train, test=test)
