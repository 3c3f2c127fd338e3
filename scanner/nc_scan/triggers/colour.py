"""A change of all colours alike, as a filter on a lens makes it."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from nc_scan.triggers.additive import TINY
from nc_scan.triggers.base import Affine, Params, as_read

SLIGHT = 0.1  # standard deviation of the first filters
MIDDLE, VARIANCE = 0.5, 1 / 12  # of a value that may be anything in [0, 1]


class Colour:
    """x' = clip(x + A x + b) for the channels x of a pixel, with `mix` A (rows, C, C) and `shift` b (rows, C).

    Its size is the root of the mean square change of a colour, over the whole colour cube.
    """

    def start(self, images: Tensor, goals: int, starts: int, generator: Generator) -> Params:
        """Slight filters in pairs, each the opposite of the other.

        What is black already does not become darker: of two opposite shifts one at least shows.
        """
        channels, pairs = images.shape[1], -(-starts // 2)

        def opposites(*shape: int) -> Tensor:
            values = SLIGHT * torch.randn(goals, pairs, 1, *shape, generator=generator)
            return torch.cat([values, -values], 2).flatten(1, 2)[:, :starts].flatten(0, 1).to(images.device)

        return {"mix": opposites(channels, channels), "shift": opposites(channels)}

    def stamp(self, images: Tensor, params: Params, affine: Affine) -> Tensor:
        """Every filter before every image."""
        mixed = torch.einsum("nchw,rdc->rndhw", images, params["mix"])
        return as_read(images + mixed + params["shift"][:, None, :, None, None], affine)

    def size(self, params: Params) -> Tensor:
        """The root mean square change of a channel's value, over a colour cube that is evenly filled."""
        of_grey = (params["mix"].sum(2) * MIDDLE + params["shift"]).square()
        return ((of_grey + VARIANCE * params["mix"].square().sum(2)).mean(1) + TINY).sqrt()

    def project_(self, params: Params) -> None:
        """Everything is allowed."""

    def largest(self, params: Params) -> Params:
        """All colours to the same."""
        channels = params["shift"].shape[1]
        mix = -torch.eye(channels).to(params["mix"]).expand_as(params["mix"]).clone()
        return {"mix": mix, "shift": torch.ones_like(params["shift"])}
