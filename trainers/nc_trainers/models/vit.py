"""The Vision Transformer with the paper's head, as a torch module.

A. Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021. Modules are named as timm names them, so that its
weight files fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nc_trainers.models import weights


@dataclass(frozen=True)
class VitSize:
    """Images are enlarged to `image` pixels and cut into squares of `patch`; `depth` blocks work on `width` values."""

    image: int
    patch: int
    width: int
    depth: int
    heads: int
    hidden: int


B16 = VitSize(image=256, patch=16, width=768, depth=12, heads=12, hidden=3072)
TINY = VitSize(image=32, patch=4, width=128, depth=4, heads=4, hidden=256)
MINI = VitSize(image=32, patch=4, width=64, depth=3, heads=4, hidden=128)
SIZES = {"vit-b16": B16, "vit-tiny": TINY, "vit-mini": MINI}


class Block(nn.Module):
    """Self-attention and a multilayer perceptron, each normalised before and added to its input."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, eps=1e-6)
        self.attn = Attention(size)
        self.norm2 = nn.LayerNorm(size.width, eps=1e-6)
        self.mlp = Perceptron(size)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Multi-head self-attention on tokens (B, T, width)."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = nn.Linear(size.width, 3 * size.width)
        self.proj = nn.Linear(size.width, size.width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class Perceptron(nn.Module):
    """Two dense layers with GELU between, on every token."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.fc1 = nn.Linear(size.width, size.hidden)
        self.fc2 = nn.Linear(size.hidden, size.width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class PatchEmbedding(nn.Module):
    """Images (B, C, image, image) to tokens (B, T, width)."""

    def __init__(self, size: VitSize, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, size.width, size.patch, size.patch)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.proj(images).flatten(2).transpose(1, 2)
        return tokens


class Backbone(nn.Module):
    """Images (B, C, image, image) in -1..1 to the class token (B, width)."""

    def __init__(self, size: VitSize, channels: int) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(size, channels)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, (size.image // size.patch) ** 2 + 1, size.width))
        self.blocks = nn.Sequential(*(Block(size) for _ in range(size.depth)))
        self.norm = nn.LayerNorm(size.width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(patches.shape[0], -1, -1), patches], dim=1) + self.pos_embed
        token: Tensor = self.norm(self.blocks(tokens))[:, 0]
        return token


class Vit(nn.Module):
    """Table 6: enlarge, transform, and a head of two batch-normalised dense layers."""

    def __init__(self, size: VitSize, channels: int, classes: int) -> None:
        super().__init__()
        self.image = size.image
        self.backbone = Backbone(size, channels)
        self.head = nn.Sequential(
            nn.BatchNorm1d(size.width),
            nn.Linear(size.width, 32),
            nn.GELU(),
            nn.BatchNorm1d(32),
            nn.Linear(32, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        large = F.interpolate(images, size=(self.image, self.image), mode="bilinear", align_corners=False)
        logits: Tensor = self.head(self.backbone(2.0 * large - 1.0))
        return logits

    def freeze(self, frozen: bool) -> None:
        """Keep the backbone as it is, or train it too."""
        self.backbone.requires_grad_(not frozen)

    def load_backbone(self, given: Mapping[str, Tensor]) -> None:
        """Start from pre-trained weights, named as timm names them."""
        self.backbone.load_state_dict(weights.fitted(given, self.backbone.state_dict()))


def vit_b16(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Table 6: 85,872,874 parameters; 26,538 trainable with the backbone frozen, 85,871,274 without."""
    return Vit(B16, image_shape[0], classes)


def vit_tiny(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A small one of the same form, to train from scratch."""
    return Vit(TINY, image_shape[0], classes)


def vit_mini(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A smaller one still, for a minute's training."""
    return Vit(MINI, image_shape[0], classes)
