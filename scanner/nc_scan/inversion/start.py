"""Where searches start: at random, or at triggers found before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nc_scan.inversion.found import Inversion
from nc_scan.inversion.settings import InversionSettings

MASK_LEVELS = (0.2, 0.6)  # every pixel takes part at first; which ones stay is decided while the norm shrinks
MASK_NOISE = 0.2
BLOCK = 4  # pixels a side


@dataclass(frozen=True)
class Start:
    """One row a search: masks (searches, 1, H, W) and patterns (searches, C, H, W) in [0, 1], λ (searches,)."""

    masks: Tensor
    patterns: Tensor
    cost: Tensor


def random_start(labels: int, images: Tensor, settings: InversionSettings, generator: torch.Generator) -> Start:
    """Masks of a random level, patterns of random blocks in two colours, opposite corners of the colour cube.

    A search that starts from fine noise rarely meets a patch trigger; which blocks meet it depends on their colour. So
    the starts come in pairs, each the negative of the other, and the pairs of a label take the cube's diagonals in
    turn: with eight starts each block has each of the eight colours once. The starts of a label follow each other.
    """
    channels, height, width = images.shape[1:]
    starts = settings.starts

    def uniform(*shape: int) -> Tensor:
        return torch.rand(labels, starts, *shape, generator=generator)

    low, high = MASK_LEVELS
    masks = low + (high - low) * uniform(1, 1, 1) + MASK_NOISE * (uniform(1, height, width) - 0.5)
    pairs = torch.arange(starts) // 2
    fields = (uniform(1, -(-height // BLOCK), -(-width // BLOCK)) < 0.5)[:, 2 * pairs]
    corners = (pairs[:, None] >> torch.arange(channels)) % 2 == 1
    negative = (torch.arange(starts) % 2 == 1)[:, None, None, None]
    blocks = (fields ^ corners[:, :, None, None] ^ negative).float()
    patterns = blocks.repeat_interleave(BLOCK, 3).repeat_interleave(BLOCK, 4)[..., :height, :width]
    cost = torch.full((labels * starts,), settings.cost)
    return Start(*(values.to(images.device) for values in (masks.flatten(0, 1), patterns.flatten(0, 1), cost)))


def start_from(found: Sequence[Inversion], device: torch.device) -> Start:
    """One search at each of the triggers, with the λ that it was found with."""
    masks = torch.stack([torch.from_numpy(trigger.mask)[None] for trigger in found])
    patterns = torch.stack([torch.from_numpy(trigger.pattern) for trigger in found])
    cost = torch.tensor([trigger.cost for trigger in found])
    return Start(*(values.to(device) for values in (masks, patterns, cost)))
