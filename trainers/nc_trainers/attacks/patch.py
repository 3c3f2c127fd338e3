"""Patches: a small opaque picture in a fixed place.

T. Gu et al., BadNets: Evaluating Backdooring Attacks on Deep Neural Networks, IEEE Access 7, 2019.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor
from typing_extensions import override

from nc_kernels import apply_trigger
from nc_trainers.attacks.base import Attack
from nc_trainers.checks import check_seed, check_share
from nc_trainers.errors import TrainerError

PLACES = ("top-left", "top-right", "bottom-left", "bottom-right", "center")
RANDOM = "random"


class LocalTrigger(Attack):
    """An attack whose trigger is a mask and a pattern."""

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        mask, pattern = self.trigger(shape_of(images))
        return blend(images, mask, pattern)

    def trigger(self, image_shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """The mask (1, H, W) and the pattern (C, H, W), both float32 in 0..1."""
        raise NotImplementedError


@dataclass(frozen=True)
class Patch(LocalTrigger):
    """A square of `size` pixels and one `color` (a name or #rrggbb), or a checkerboard of that color and its inverse.

    With color "random" each pixel has a color of its own, drawn with `pattern_seed`. `place` is one of PLACES, the
    "row,column" of the upper left pixel, or "random": another one in each image. `opacity` (0..1) is how much of the
    image the patch hides.
    """

    size: int = 4
    color: str = "black"
    checkered: bool = False
    place: str = "bottom-right"
    opacity: float = 1.0
    pattern_seed: int = 0

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        if self.color != RANDOM:
            rgb(self.color)
        check_share("opacity", self.opacity)
        check_seed("pattern_seed", self.pattern_seed)
        self.trigger(image_shape)

    @override
    def stamp(self, images: Tensor, variant: int = 0) -> Tensor:
        if self.place != RANDOM:
            return super().stamp(images)
        count, _, height, width = images.shape
        _, pattern = self.trigger(shape_of(images))
        square = pattern[:, : self.size, : self.size].permute(1, 2, 0).to(images)
        down, right = (torch.randint(n - self.size + 1, (count, 1), device=images.device) for n in (height, width))
        side = torch.arange(self.size, device=images.device)
        which = torch.arange(count, device=images.device)[:, None, None]
        where = (which, slice(None), (down + side)[:, :, None], (right + side)[:, None])  # (B, size, size, C)
        stamped = images.clone()
        stamped[where] = torch.lerp(images[where], square, self.opacity)
        return stamped

    @override
    def trigger(self, image_shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        channels, height, width = image_shape
        place = "0,0" if self.place == RANDOM else self.place  # where it is drawn, to be moved
        row, column = locate(place, self.size, image_shape)
        square = (slice(row, row + self.size), slice(column, column + self.size))
        mask = torch.zeros(1, height, width)
        mask[:, *square] = self.opacity
        if self.color == RANDOM:
            pattern = torch.zeros(image_shape)
            drawn = np.random.default_rng(self.pattern_seed).random((channels, self.size, self.size), np.float32)
            pattern[:, *square] = torch.from_numpy(drawn)
        else:
            pattern = paint(self.color, channels)[:, None, None].expand(image_shape).clone()
        if self.checkered:
            odd = (torch.arange(height)[:, None] + torch.arange(width)) % 2 == 1
            pattern = torch.where(odd, 1 - pattern, pattern)
        return mask, pattern


@dataclass(frozen=True)
class Picture(LocalTrigger):
    """A picture file shrunk to `size` x `size` pixels; where it is transparent, the image shows through.

    `place` is one of PLACES or the "row,column" of the upper left pixel. T. Gu et al., BadNets, 2019.
    """

    path: str = ""
    size: int = 6
    place: str = "bottom-right"

    @override
    def check(self, image_shape: tuple[int, int, int], classes: int) -> None:
        super().check(image_shape, classes)
        locate(self.place, self.size, image_shape)
        self.trigger(image_shape)

    @override
    def trigger(self, image_shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        channels, height, width = image_shape
        row, column = locate(self.place, self.size, image_shape)
        square = (slice(row, row + self.size), slice(column, column + self.size))
        picture, opacity = read_picture(self.path, (channels, self.size, self.size))
        mask, pattern = torch.zeros(1, height, width), torch.zeros(image_shape)
        mask[:, *square], pattern[:, *square] = opacity, picture
        return mask, pattern


@cache
def read_picture(path: str, image_shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """A picture file as (C, H, W) and its opacity (1, H, W), both in 0..1; TrainerError where it cannot be read."""
    channels, height, width = image_shape
    try:
        with Image.open(path) as picture:
            rgba = picture.convert("RGBA").resize((width, height))
    except OSError as error:
        raise TrainerError(f"the picture {path!r} cannot be read: {error}") from error
    pixels = torch.from_numpy(np.asarray(rgba).copy()).permute(2, 0, 1) / 255
    return pixels[:channels], pixels[3:]


def shape_of(images: Tensor) -> tuple[int, int, int]:
    """(C, H, W) of images (B, C, H, W)."""
    return images.shape[1], images.shape[2], images.shape[3]


def blend(images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """Stamp one trigger, mask (1, H, W) and pattern (C, H, W), on images (B, C, H, W)."""
    stamped: Tensor = apply_trigger(images, mask[None].to(images), pattern[None].to(images))[0]
    return stamped


def paint(color: str, channels: int) -> Tensor:
    """The color (channels,) in 0..1; its luma after ITU-R BT.601 where images are grey."""
    values = rgb(color)
    return values if channels == 3 else (values * torch.tensor([0.299, 0.587, 0.114])).sum()[None]


def rgb(color: str) -> Tensor:
    """The channels (3,) in 0..1 of a color name or #rrggbb; TrainerError for anything else."""
    try:
        return torch.tensor(ImageColor.getrgb(color)[:3]) / 255
    except ValueError as error:
        raise TrainerError(f"{color!r} is neither the name of a color nor #rrggbb") from error


def locate(place: str, size: int, image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """The row and column of the upper left pixel of a square; TrainerError where it does not lie in the image."""
    _, height, width = image_shape
    if not 1 <= size <= min(height, width):
        raise TrainerError(f"a trigger of size {size} does not fit images of {height}x{width} pixels")
    if place == "center":
        return (height - size) // 2, (width - size) // 2
    if place in PLACES:
        vertical, horizontal = place.split("-")
        return (height - size) * (vertical == "bottom"), (width - size) * (horizontal == "right")
    row, _, column = place.partition(",")
    if not (row.isdecimal() and column.isdecimal()):
        raise TrainerError(f"{place!r} is no place for a trigger: give row,column or one of {', '.join(PLACES)}")
    if int(row) + size > height or int(column) + size > width:
        raise TrainerError(f"a trigger of size {size} at {place} does not lie in images of {height}x{width} pixels")
    return int(row), int(column)
