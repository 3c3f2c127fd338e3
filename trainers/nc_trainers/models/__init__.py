"""The paper's architectures and small ones by name, in PyTorch and in Keras."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nc_trainers.errors import TrainerError
from nc_trainers.models import pytorch, small, vit

ARCHITECTURES = {
    "simple-cnn": pytorch.simple_cnn,
    "vgg-16": pytorch.vgg16,
    "resnet": pytorch.resnet,
    "vit-b16": vit.vit_b16,
    "vit-tiny": vit.vit_tiny,
    "vit-mini": vit.vit_mini,
    "mlp": small.mlp,
    "lite-cnn": small.lite_cnn,
    "vgg-small": small.vgg_small,
    "resnet-8": small.resnet8,
    "resnet-20": small.resnet20,
    "mobile": small.mobile,
}
FRAMEWORKS = ("pytorch", "keras")


@runtime_checkable
class ChannelsLast(Protocol):
    """A network that is delivered for images (B, H, W, C), though it trains on (B, C, H, W)."""

    def channels_last(self) -> nn.Module:
        """The same network, its weights copied, for images (B, H, W, C)."""


@runtime_checkable
class Pretrained(Protocol):
    """A network with a backbone that can be kept as it is while its head is trained."""

    def freeze(self, frozen: bool) -> None:
        """Keep the backbone as it is, or train it too."""

    def load_backbone(self, given: Mapping[str, Tensor]) -> None:
        """Start from pre-trained weights, named as timm names them. Raises TrainerError where they do not fit."""


def build(architecture: str, framework: str, image_shape: tuple[int, int, int], classes: int, seed: int) -> nn.Module:
    """An untrained network from images (B, C, H, W) in 0..1 to logits (B, classes), its weights drawn with `seed`."""
    check_names(architecture, framework)
    if framework == "keras":
        from nc_trainers.models import keras_net

        return keras_net.build(architecture, image_shape, classes, seed)
    torch.manual_seed(seed)
    return ARCHITECTURES[architecture](image_shape, classes).to(memory_format=torch.channels_last)  # type: ignore


def check_names(architecture: str, framework: str) -> None:
    """Raise TrainerError for an architecture or a framework that does not exist."""
    if architecture not in ARCHITECTURES:
        raise TrainerError(f"unknown architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}")
    if framework not in FRAMEWORKS:
        raise TrainerError(f"unknown framework {framework!r}; there are {', '.join(FRAMEWORKS)}")
