"""A change that is sparse in the frequency domain: a sinusoid is one coefficient of many."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Generator, Tensor

from nc_scan.triggers.additive import FAINT
from nc_scan.triggers.base import Affine, Params, as_read


class Frequency:
    """x' = clip(x + C⁻¹ c) with `coefficients` c (rows, C, H, W) and C the orthonormal cosine transform, type II, over
    channels, rows and columns; its size is |c|₁.

    The transform over the channels parts what is grey from colour, so that a grey wave is one coefficient, too.
    """

    def start(self, images: Tensor, goals: int, starts: int, generator: Generator) -> Params:
        """Faint noise, which is as strong at all frequencies."""
        noise = FAINT * torch.randn(goals * starts, *images.shape[1:], generator=generator)
        return {"coefficients": noise.to(images.device)}

    def stamp(self, images: Tensor, params: Params, affine: Affine) -> Tensor:
        """Adds every change to every image."""
        return as_read((images + self.change(params)[:, None]).clamp(0, 1), affine)

    def change(self, params: Params) -> Tensor:
        """What is added to the images (rows, C, H, W)."""
        coefficients = params["coefficients"]
        channels, rows, columns = (cosines(count).to(coefficients) for count in coefficients.shape[1:])
        return torch.einsum("nchw,cd,hi,wj->ndij", coefficients, channels, rows, columns)

    def size(self, params: Params) -> Tensor:
        """The sum of the absolute coefficients of each change."""
        return params["coefficients"].abs().flatten(1).sum(1)

    def project_(self, params: Params) -> None:
        """Everything is allowed."""

    def largest(self, params: Params) -> Params:
        """As large as a change of every pixel by 1 can be."""
        return {"coefficients": torch.ones_like(params["coefficients"])}


@cache
def cosines(count: int) -> Tensor:
    """The basis of the orthonormal cosine transform, type II, of so many values: (frequency, place)."""
    places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    basis = torch.cos(math.pi * torch.arange(count, dtype=torch.float64)[:, None] * places) * math.sqrt(2 / count)
    basis[0] /= math.sqrt(2)
    return basis
