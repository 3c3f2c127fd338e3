"""Small, quick networks as torch modules: images (B, C, H, W) float32 in, logits (B, classes) out.

They are what people train in minutes, and what a zoo of hundreds of models is made of.
"""

import torch
from torch import Tensor, nn

from nc_trainers.models.pytorch import ImageShape, he_initialized, plain_cnn

STAGES = (16, 32, 64)  # channels of a thin residual network
VGG_WIDTHS = (32, 64, 128)
MOBILE_BLOCKS = ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1))  # channels and stride
SQUEEZE = 4


def mlp(image_shape: ImageShape, classes: int) -> nn.Module:
    """Two hidden dense layers: 820,874 parameters for 3x32x32 images and ten classes."""
    channels, height, width = image_shape
    layers = [nn.Flatten(), nn.Linear(channels * height * width, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU()]
    return he_initialized(nn.Sequential(*layers, nn.Linear(128, classes)))


def lite_cnn(image_shape: ImageShape, classes: int) -> nn.Module:
    """The paper's Simple-CNN, its filters halved, with dense layers of 128: 182,042 parameters for 3x32x32 and 10."""
    return plain_cnn(image_shape, classes, (16, 32), 128)


def vgg_small(image_shape: ImageShape, classes: int) -> nn.Module:
    """Three stages of two convolutions with batch normalisation, and the mean over the image."""
    net = nn.Sequential()
    before = image_shape[0]
    for stage, width in enumerate(VGG_WIDTHS):
        net.extend([*convolution(before, width), *convolution(width, width)])
        net.append(nn.MaxPool2d(2) if stage < len(VGG_WIDTHS) - 1 else nn.AdaptiveAvgPool2d(1))
        before = width
    return he_initialized(net.extend([nn.Flatten(), nn.Linear(before, classes)]))


def resnet20(image_shape: ImageShape, classes: int) -> nn.Module:
    """K. He et al., Deep Residual Learning, CVPR 2016, section 4.2, with n = 3."""
    return _thin_resnet(image_shape, classes, 3)


def resnet8(image_shape: ImageShape, classes: int) -> nn.Module:
    """The same with n = 1, as in MLPerf Tiny (C. Banbury et al., 2021)."""
    return _thin_resnet(image_shape, classes, 1)


def mobile(image_shape: ImageShape, classes: int) -> nn.Module:
    """Depthwise separable convolutions with squeeze and excitation.

    A. Howard et al., MobileNets, arXiv:1704.04861, and Searching for MobileNetV3, ICCV 2019.
    """
    net = nn.Sequential(*convolution(image_shape[0], 16))
    before = 16
    for width, stride in MOBILE_BLOCKS:
        net.extend([*convolution(before, before, stride, groups=before), Excitation(before)])
        net.extend(convolution(before, width, kernel=1))
        before = width
    return he_initialized(net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)]))


class Excitation(nn.Module):
    """Weighs each channel by what all of them are on the mean. J. Hu et al., Squeeze-and-Excitation, CVPR 2018."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // SQUEEZE, 1)
        self.excite = nn.Conv2d(channels // SQUEEZE, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        weights: Tensor = nn.functional.hardsigmoid(self.excite(torch.relu(self.squeeze(mean))))
        return x * weights


class ThinBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, subsampled and padded with zero channels where the shape changes.

    He et al. 2016, option A: no parameters in the shortcut.
    """

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, width - before
        self.body = nn.Sequential(*convolution(before, width, stride), *convolution(width, width)[:-1])

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x[:, :, :: self.stride, :: self.stride]
        return torch.relu(self.body(x) + nn.functional.pad(shortcut, (0, 0, 0, 0, 0, self.padding)))


def convolution(before: int, width: int, stride: int = 1, kernel: int = 3, groups: int = 1) -> list[nn.Module]:
    """A padded convolution, its batch normalisation and ReLU."""
    layer = nn.Conv2d(before, width, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(width), nn.ReLU()]


def _thin_resnet(image_shape: ImageShape, classes: int, blocks: int) -> nn.Module:
    net = nn.Sequential(*convolution(image_shape[0], STAGES[0]))
    before = STAGES[0]
    for stage, width in enumerate(STAGES):
        for block in range(blocks):
            net.append(ThinBlock(before, width, 2 if stage and not block else 1))
            before = width
    return he_initialized(net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)]))
