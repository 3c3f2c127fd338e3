"""A patch: under a mask, the image gives way to a pattern (Wang et al. 2019, section 3.2)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from nc_kernels import apply_trigger
from nc_scan.triggers.base import Affine, Params

MASK_LEVELS = (0.2, 0.6)  # every pixel takes part at first; which ones stay is decided while the norm shrinks
MASK_NOISE = 0.2
BLOCK = 4  # pixels a side


class Patch:
    """x' = (1 - m) x + m Δ with `mask` (rows, 1, H, W) and `pattern` (rows, C, H, W) in [0, 1]; its size is |m|₁ in
    pixels."""

    def start(self, images: Tensor, goals: int, starts: int, generator: Generator) -> Params:
        """Masks of a random level, patterns of random blocks in two colours, opposite corners of the colour cube.

        A search that starts from fine noise rarely meets a patch trigger; which blocks meet it depends on their
        colour. So the starts come in pairs, each the negative of the other, and the pairs of a goal take the cube's
        diagonals in turn: with four starts each block has four of the eight colours, with eight each of them once.
        """
        channels, height, width = images.shape[1:]

        def uniform(*shape: int) -> Tensor:
            return torch.rand(goals, starts, *shape, generator=generator)

        low, high = MASK_LEVELS
        masks = low + (high - low) * uniform(1, 1, 1) + MASK_NOISE * (uniform(1, height, width) - 0.5)
        pairs = torch.arange(starts) // 2
        fields = (uniform(1, -(-height // BLOCK), -(-width // BLOCK)) < 0.5)[:, 2 * pairs]
        corners = (pairs[:, None] >> torch.arange(channels)) % 2 == 1
        negative = (torch.arange(starts) % 2 == 1)[:, None, None, None]
        blocks = (fields ^ corners[:, :, None, None] ^ negative).float()
        patterns = blocks.repeat_interleave(BLOCK, 3).repeat_interleave(BLOCK, 4)[..., :height, :width]
        return {"mask": masks.flatten(0, 1).to(images.device), "pattern": patterns.flatten(0, 1).to(images.device)}

    def stamp(self, images: Tensor, params: Params, affine: Affine) -> Tensor:
        """Blends every trigger into every image, channels innermost in memory."""
        stamped: Tensor = apply_trigger(
            images, params["mask"], params["pattern"], scale=affine.scale, offset=affine.offset, channels_last=True
        )
        return stamped

    def size(self, params: Params) -> Tensor:
        """The L1 norm of each mask, in pixels."""
        return params["mask"].sum((1, 2, 3))

    def project_(self, params: Params) -> None:
        """Into the unit interval.

        Projection takes the place of the usual tanh parametrisation: its gradient does not vanish where a mask nears 0
        or 1, so that a search needs about a quarter of the steps.
        """
        for values in params.values():
            values.clamp_(0, 1)

    def largest(self, params: Params) -> Params:
        """Masks that cover the whole image."""
        return {"mask": torch.ones_like(params["mask"]), "pattern": params["pattern"].clone()}
