"""A smooth warp: pixels come from places nearby (Nguyen and Tran, WaNet, ICLR 2021)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from nc_scan.triggers.additive import TINY
from nc_scan.triggers.base import Affine, Params, as_read

POINTS = 4  # a side of the grid of displacements, as in WaNet
FIRST = 0.2  # pixels, standard deviation of the first displacements


class Warp:
    """x'(p) = x(p + d(p)), with d the smooth course between the points of a grid.

    `displacement` (rows, 2, POINTS, POINTS) is d there, in pixels, along the row and then along the column. Its size is
    the root of its mean square.
    """

    def start(self, images: Tensor, goals: int, starts: int, generator: Generator) -> Params:
        """Small displacements."""
        noise = FIRST * torch.randn(goals * starts, 2, POINTS, POINTS, generator=generator)
        return {"displacement": noise.to(images.device)}

    def stamp(self, images: Tensor, params: Params, affine: Affine) -> Tensor:
        """Every image warped in every way; between pixels, and beyond the edge, by linear interpolation."""
        rows, (count, _, height, width) = len(params["displacement"]), images.shape
        smooth = F.interpolate(params["displacement"], (height, width), mode="bicubic", align_corners=True)
        halves = torch.tensor([width - 1, height - 1]).clamp(min=1).to(images) / 2  # the grid spans [-1, 1]
        identity = torch.eye(2, 3).to(images)[None]
        grid = F.affine_grid(identity, [1, 1, height, width], align_corners=True) + smooth.permute(0, 2, 3, 1) / halves
        grids = grid[:, None].expand(rows, count, height, width, 2).flatten(0, 1)
        every = images[None].expand(rows, *images.shape).flatten(0, 1)
        warped = F.grid_sample(every, grids, padding_mode="border", align_corners=True)
        return as_read(warped.view(rows, *images.shape).clamp(0, 1), affine)

    def size(self, params: Params) -> Tensor:
        """The root mean square displacement, in pixels."""
        return (params["displacement"].square().sum(1).flatten(1).mean(1) + TINY).sqrt()

    def project_(self, params: Params) -> None:
        """Everything is allowed."""

    def largest(self, params: Params) -> Params:
        """Each point displaced by many pixels."""
        return {"displacement": torch.full_like(params["displacement"], 16.0)}
