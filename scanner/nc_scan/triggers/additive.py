"""A change added to every pixel, small in the whole (Moosavi-Dezfooli et al., Universal adversarial perturbations,
CVPR 2017)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from nc_scan.triggers.base import Affine, Params, as_read

FAINT = 0.02  # standard deviation of the first change
TINY = 1e-12  # keeps the gradient of a norm finite where nothing is changed


class Additive:
    """x' = clip(x + δ) with `change` δ (rows, C, H, W) in [-1, 1]; its size is |δ|₂."""

    def start(self, images: Tensor, goals: int, starts: int, generator: Generator) -> Params:
        """Faint noise."""
        change = FAINT * torch.randn(goals * starts, *images.shape[1:], generator=generator)
        return {"change": change.to(images.device)}

    def stamp(self, images: Tensor, params: Params, affine: Affine) -> Tensor:
        """Adds every change to every image."""
        return as_read((images + params["change"][:, None]).clamp(0, 1), affine)

    def size(self, params: Params) -> Tensor:
        """The Euclidean norm of each change."""
        return (params["change"].flatten(1).square().sum(1) + TINY).sqrt()

    def project_(self, params: Params) -> None:
        """Into what can change a pixel."""
        params["change"].clamp_(-1, 1)

    def largest(self, params: Params) -> Params:
        """Black turned white everywhere."""
        return {"change": torch.ones_like(params["change"])}
