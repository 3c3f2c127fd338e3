"""The paper's architectures by name, in PyTorch and in Keras."""

import torch
from torch import nn

from nc_trainers.errors import TrainerError
from nc_trainers.models import pytorch

ARCHITECTURES = {"simple-cnn": pytorch.simple_cnn}
FRAMEWORKS = ("pytorch", "keras")


def build(architecture: str, framework: str, image_shape: tuple[int, int, int], classes: int, seed: int) -> nn.Module:
    """An untrained network from images (B, C, H, W) in 0..1 to logits (B, classes), its weights drawn with `seed`."""
    check_names(architecture, framework)
    torch.manual_seed(seed)
    if framework == "pytorch":
        return ARCHITECTURES[architecture](image_shape, classes)
    from nc_trainers.models.keras_net import KerasNet, keras

    keras.utils.set_random_seed(seed)
    return KerasNet(architecture, image_shape, classes, "channels_first")


def check_names(architecture: str, framework: str) -> None:
    """Raise TrainerError for an architecture or a framework that does not exist."""
    if architecture not in ARCHITECTURES:
        raise TrainerError(f"unknown architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}")
    if framework not in FRAMEWORKS:
        raise TrainerError(f"unknown framework {framework!r}; there are {', '.join(FRAMEWORKS)}")
