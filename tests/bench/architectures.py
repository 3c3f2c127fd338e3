"""The networks that people use, in torch: their blocks at their own widths, each stage once or twice.

All map (N, 3, H, W) to scores (N, 100). What an imported operator costs beyond the native one shows in one block as
well as in six.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nc_trainers.models.vit import vit_tiny

LABELS = 100
Activation = Callable[[], nn.Module]


def conv(
    inward: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: Activation | None = nn.ReLU
) -> nn.Sequential:
    """A convolution, its normalisation, an activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(inward, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


def classifier(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, LABELS))


class Residual(nn.Module):
    """x + body(x), or skip(x) + body(x), and an activation after the sum."""

    def __init__(self, body: nn.Module, skip: nn.Module | None = None, act: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.skip, self.act = body, skip or nn.Identity(), act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.skip(x) + self.body(x))  # type: ignore[no-any-return]


class Excitation(nn.Module):
    """Squeeze-and-Excitation: channels weighted by a function of their means."""

    def __init__(self, channels: int, hidden: int, act: Activation, gate: Activation) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, hidden, 1), act(), nn.Conv2d(hidden, channels, 1), gate()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)


class Shuffle(nn.Module):
    """Half of the channels through a branch, then both halves interleaved (ShuffleNet V2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(conv(half, half), conv(half, half, 3, groups=half, act=None), conv(half, half))

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = x.chunk(2, 1)
        both = torch.cat([kept, self.branch(changed)], 1)
        count, channels, height, width = both.shape
        return both.view(count, 2, channels // 2, height, width).transpose(1, 2).reshape(both.shape)


class Fire(nn.Module):
    """SqueezeNet: one narrow convolution, two wide ones side by side."""

    def __init__(self, inward: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(inward, squeeze, 1), nn.ReLU())
        self.one = nn.Sequential(nn.Conv2d(squeeze, expand, 1), nn.ReLU())
        self.three = nn.Sequential(nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.one(x), self.three(x)], 1)


class Dense(nn.Module):
    """DenseNet: new features beside the old ones, normalised before each convolution."""

    def __init__(self, channels: int, growth: int = 32) -> None:
        super().__init__()
        self.new = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            conv(channels, 4 * growth),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.new(x)], 1)


class ConvNextBlock(nn.Module):
    """A depthwise convolution, LayerNorm over the channels, two linear layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.rest = nn.Sequential(
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
        )
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        changed = self.scale * self.rest(self.depthwise(x).permute(0, 2, 3, 1))
        return x + changed.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


def inverted(
    inward: int, out: int, expansion: int, kernel: int, stride: int, act: Activation, *gate: nn.Module
) -> nn.Module:
    """MobileNet's inverted residual: expanded, convolved channel by channel, weighted by `gate`, projected."""
    wide = inward * expansion
    widen = [conv(inward, wide, act=act)] if expansion > 1 else []
    body = nn.Sequential(*widen, conv(wide, wide, kernel, stride, wide, act), *gate, conv(wide, out, act=None))
    return Residual(body) if stride == 1 and inward == out else body


def resnet_18() -> nn.Module:
    def block(inward: int, out: int, stride: int) -> nn.Module:
        body = nn.Sequential(conv(inward, out, 3, stride), conv(out, out, 3, act=None))
        return Residual(body, None if stride == 1 else conv(inward, out, 1, stride, act=None), nn.ReLU())

    blocks = [block(64, 64, 1), block(64, 128, 2), block(128, 256, 2), block(256, 512, 2)]
    return nn.Sequential(conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), *blocks, classifier(512))


def resnet_50() -> nn.Module:
    def block(inward: int, width: int, stride: int) -> nn.Module:
        body = nn.Sequential(conv(inward, width), conv(width, width, 3, stride), conv(width, 4 * width, act=None))
        return Residual(body, conv(inward, 4 * width, 1, stride, act=None), nn.ReLU())

    blocks = [block(64, 64, 1), block(256, 128, 2), block(512, 256, 2), block(1024, 512, 2)]
    return nn.Sequential(conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), *blocks, classifier(2048))


def mobilenet_v2() -> nn.Module:
    rows = [(32, 16, 1, 1), (16, 24, 6, 2), (24, 24, 6, 1), (24, 32, 6, 2), (32, 64, 6, 2), (64, 64, 6, 1)]
    blocks = [inverted(i, o, t, 3, s, nn.ReLU6) for i, o, t, s in rows]
    return nn.Sequential(conv(3, 32, 3, 2, act=nn.ReLU6), *blocks, conv(64, 1280, act=nn.ReLU6), classifier(1280))


def mobilenet_v3() -> nn.Module:
    def gate(channels: int) -> nn.Module:
        return Excitation(channels, channels // 4, nn.ReLU, nn.Hardsigmoid)

    blocks = [
        inverted(16, 16, 1, 3, 2, nn.ReLU, gate(16)),
        inverted(16, 24, 4, 3, 2, nn.ReLU),
        inverted(24, 40, 4, 5, 2, nn.Hardswish, gate(96)),
        inverted(40, 40, 6, 5, 1, nn.Hardswish, gate(240)),
    ]
    stem, last = conv(3, 16, 3, 2, act=nn.Hardswish), conv(40, 576, act=nn.Hardswish)
    return nn.Sequential(stem, *blocks, last, classifier(576))


def efficientnet_b0() -> nn.Module:
    def gate(channels: int, inward: int) -> nn.Module:
        return Excitation(channels, inward // 4, nn.SiLU, nn.Sigmoid)

    blocks = [
        inverted(32, 16, 1, 3, 1, nn.SiLU, gate(32, 32)),
        inverted(16, 24, 6, 3, 2, nn.SiLU, gate(96, 16)),
        inverted(24, 40, 6, 5, 2, nn.SiLU, gate(144, 24)),
        inverted(40, 40, 6, 5, 1, nn.SiLU, gate(240, 40)),
    ]
    return nn.Sequential(conv(3, 32, 3, 2, act=nn.SiLU), *blocks, conv(40, 1280, act=nn.SiLU), classifier(1280))


def squeezenet() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True))
    fires = [Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(128, 32, 128)]
    head = nn.Sequential(nn.Dropout(), nn.Conv2d(256, LABELS, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(stem, *fires, head)


def shufflenet_v2() -> nn.Module:
    stem = nn.Sequential(conv(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1), conv(24, 116))
    return nn.Sequential(stem, *(Shuffle(116) for _ in range(4)), conv(116, 1024), classifier(1024))


def densenet() -> nn.Module:
    stem = nn.Sequential(conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1))
    first = [Dense(64 + 32 * index) for index in range(4)]
    between = nn.Sequential(nn.BatchNorm2d(192), nn.ReLU(), nn.Conv2d(192, 96, 1, bias=False), nn.AvgPool2d(2))
    second = [Dense(96 + 32 * index) for index in range(4)]
    return nn.Sequential(stem, *first, between, *second, nn.BatchNorm2d(224), nn.ReLU(), classifier(224))


def convnext() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(3, 96, 4, 4), ChannelNorm(96))
    down = nn.Sequential(ChannelNorm(96), nn.Conv2d(96, 192, 2, 2))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(192), nn.Linear(192, LABELS))
    return nn.Sequential(stem, ConvNextBlock(96), ConvNextBlock(96), down, ConvNextBlock(192), head)


def vit(side: int = 32) -> nn.Module:
    return vit_tiny((3, side, side), LABELS)


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "ResNet-18": resnet_18,
    "ResNet-50": resnet_50,
    "MobileNetV2": mobilenet_v2,
    "MobileNetV3": mobilenet_v3,
    "EfficientNet-B0": efficientnet_b0,
    "SqueezeNet": squeezenet,
    "ShuffleNetV2": shufflenet_v2,
    "DenseNet": densenet,
    "ConvNeXt": convnext,
    "ViT": vit,
}
