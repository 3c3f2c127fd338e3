"""The room that a training takes on the disk."""

import shutil
from pathlib import Path

import torch

from nc_trainers.errors import TrainerError
from nc_trainers.models import build

CHECKPOINT, FILE = 12, 4  # bytes a value: float32 with two moments of Adam's, and float32 alone
BESIDE = 64 << 20  # bytes for whatever else lies beside the model


def check_disk(folder: Path, values: int, surrogate: bool) -> None:
    """Raise TrainerError where the disk of `folder` has no room to train and export a network of so many values.

    While a checkpoint is replaced there are two; that of a `surrogate` stays until the model is done.
    """
    needed = BESIDE + values * (FILE + CHECKPOINT * (3 if surrogate else 2))
    if (free := shutil.disk_usage(folder).free) < needed:
        raise TrainerError(f"{folder} has {free >> 20} MB left on its disk, {needed >> 20} MB are needed")


def count_values(architecture: str, image_shape: tuple[int, int, int], classes: int) -> int:
    """The parameters and running statistics of a network; both frameworks have the same.

    Raises TrainerError where it does not take images (C, H, W) of that shape.
    """
    try:
        with torch.device("meta"):  # shapes alone, which take no memory
            net = build(architecture, "pytorch", image_shape, classes, seed=0)
    except RuntimeError as error:
        _, height, width = image_shape
        raise TrainerError(f"{architecture} does not take images of {height}x{width} pixels") from error
    return sum(tensor.numel() for tensor in net.state_dict().values())
