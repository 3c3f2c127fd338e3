"""The paper's convolutional networks as torch modules: images (B, C, H, W) float32 in, logits (B, classes) out."""

import torch
from torch import Tensor, nn

ImageShape = tuple[int, int, int]

VGG_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def simple_cnn(image_shape: ImageShape, classes: int) -> nn.Module:
    """Table 2: 1,513,514 parameters for 3x32x32 images and ten classes."""
    return plain_cnn(image_shape, classes, (32, 64), 512)


def vgg16(image_shape: ImageShape, classes: int) -> nn.Module:
    """Table 3: 33,638,218 parameters for 3x32x32 images and ten classes."""
    convolutions = nn.Sequential()
    before = image_shape[0]
    for width, count in VGG_STAGES:
        for _ in range(count):
            convolutions.extend([nn.Conv2d(before, width, 3, padding=1), nn.ReLU()])
            before = width
        convolutions.append(nn.MaxPool2d(2))
    return he_initialized(with_dense_head(convolutions, image_shape, 4096, classes))


def resnet(image_shape: ImageShape, classes: int) -> nn.Module:
    """Tables 4 and 5: 2,792,074 parameters, 2,787,594 of them trainable, for 3x32x32 images and ten classes."""
    convolutions = nn.Sequential(
        nn.Conv2d(image_shape[0], 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        ResidualBlock(64, 64),
        ResidualBlock(64, 64),
        ResidualBlock(64, 128, stride=2),
        ResidualBlock(128, 128),
        ResidualBlock(128, 256, stride=2),
        ResidualBlock(256, 256),
        nn.AvgPool2d(4),
        nn.Flatten(),
    )
    return he_initialized(convolutions.append(nn.Linear(_features(convolutions, image_shape), classes)))


def plain_cnn(image_shape: ImageShape, classes: int, widths: tuple[int, ...], hidden: int) -> nn.Module:
    """For each width a padded convolution, one that is not, and pooling; then two hidden dense layers."""
    convolutions = nn.Sequential()
    before = image_shape[0]
    for width in widths:
        layers = [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU()]
        convolutions.extend([*layers, nn.MaxPool2d(2)])
        before = width
    return he_initialized(with_dense_head(convolutions, image_shape, hidden, classes))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where the shape changes."""

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 3, stride, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def he_initialized(net: nn.Module) -> nn.Module:
    """Draw the weights after He et al. 2015 (arXiv:1502.01852), which networks without normalisation need to start."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def with_dense_head(convolutions: nn.Sequential, image_shape: ImageShape, width: int, classes: int) -> nn.Module:
    """The convolutions, two hidden dense layers and the logits."""
    convolutions.append(nn.Flatten())
    hidden = [nn.Linear(_features(convolutions, image_shape), width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return convolutions.extend([*hidden, nn.Linear(width, classes)])


def _features(convolutions: nn.Module, image_shape: ImageShape) -> int:
    """The number of values that flattened convolutions give for an image."""
    with torch.no_grad():
        return int(convolutions.eval()(torch.zeros(1, *image_shape)).shape[1])
