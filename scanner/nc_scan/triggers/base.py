"""What a trigger family is: parameters, and the change of an image that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor

Params = dict[str, Tensor]
"""The parameters of a stack of triggers by name; every tensor has one row a trigger."""


class Affine(NamedTuple):
    """How a model reads a pixel, `pixel * scale + offset`: one value each, or one a channel."""

    scale: Sequence[float]
    offset: Sequence[float]


UNCHANGED = Affine((1.0,), (0.0,))


def as_read(images: Tensor, affine: Affine) -> Tensor:
    """Images (..., C, H, W) in [0, 1] as the model reads them."""
    scale, offset = (torch.tensor(values).to(images)[:, None, None] for values in affine)
    return images * scale + offset


class TriggerFamily(Protocol):
    """One way to change images; a search needs to know nothing else of it."""

    def start(self, images: Tensor, goals: int, starts: int, generator: Generator) -> Params:
        """Random parameters (goals * starts rows) to search from, on the device of `images` (B, C, H, W).

        The starts of a goal follow each other and differ from each other as much as they can.
        """
        ...

    def stamp(self, images: Tensor, params: Params, affine: Affine) -> Tensor:
        """Every trigger on every image (B, C, H, W) in [0, 1]: (rows, B, C, H, W), float32, as the model reads them.

        Differentiable in the parameters.
        """
        ...

    def size(self, params: Params) -> Tensor:
        """How large each change is (rows,), float32 and at least 0, in the family's unit; differentiable."""
        ...

    def project_(self, params: Params) -> None:
        """Moves the parameters, in place, to the nearest ones that are allowed."""
        ...

    def largest(self, params: Params) -> Params:
        """Parameters of as many rows that stand for the largest change: what counts where no trigger was found."""
        ...
