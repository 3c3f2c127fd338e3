"""Where searches start: at blocks that move the label, at random, or at triggers found before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nc_scan.inversion.found import Inversion
from nc_scan.inversion.screening import block_numbers, cube_corners
from nc_scan.inversion.settings import InversionSettings

MASK_LEVELS = (0.2, 0.6)  # every pixel takes part at first; which ones stay is decided while the norm shrinks
MASK_NOISE = 0.2
BLOCK = 4  # pixels a side
MOVES = 1e-3  # nats: where no block moves a label by more, its guided mask is faint or empty


@dataclass(frozen=True)
class Start:
    """One row a search: masks (searches, 1, H, W) and patterns (searches, C, H, W) in [0, 1], λ (searches,)."""

    masks: Tensor
    patterns: Tensor
    cost: Tensor


def first_starts(
    labels: Sequence[int],
    effects: Tensor | None,
    images: Tensor,
    settings: InversionSettings,
    generator: torch.Generator,
) -> Start:
    """The starts of a search: for each label one at the blocks that move it, if `effects` are known, the others random.

    The starts of a label follow each other. `effects` (blocks, colours, labels) are those of all labels.
    """
    starts = [random_triggers(len(labels), settings.starts - (effects is not None), images, generator)]
    if effects is not None:
        starts.insert(0, guided_triggers(effects[:, :, list(labels)], images))
    masks, patterns = (torch.cat(values, 1).flatten(0, 1) for values in zip(*starts, strict=True))
    return Start(masks, patterns, torch.full((len(masks),), settings.cost, device=images.device))


def guided_triggers(effects: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """A mask (labels, 1, 1, H, W) and a pattern (labels, 1, C, H, W) by what blocks of each colour do to the label.

    Every block has the colour that moves the label most. The one that moves it most of all is opaque; the others are
    the weaker, the less they move it.
    """
    strongest, colour = effects.max(1)
    share = (strongest / strongest.amax(0).clamp(min=MOVES)).clamp(0, 1)
    numbers = block_numbers(*images.shape[2:]).to(images.device)
    masks = share.square().T[:, None, numbers]
    patterns = cube_corners(images.shape[1]).to(images)[colour.T][:, numbers].permute(0, 3, 1, 2)
    return masks[:, None], patterns[:, None]


def random_triggers(labels: int, starts: int, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Masks (labels, starts, 1, H, W) of a random level, patterns (labels, starts, C, H, W) of random blocks in two
    colours, opposite corners of the colour cube.

    A search that starts from fine noise rarely meets a patch trigger; which blocks meet it depends on their colour. So
    the starts come in pairs, each the negative of the other, and the pairs of a label take the cube's diagonals in
    turn: with four starts each block has four of the eight colours, with eight starts each of them once.
    """
    channels, height, width = images.shape[1:]

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
    return masks.to(images.device), patterns.to(images.device)


def start_from(found: Sequence[Inversion], device: torch.device) -> Start:
    """One search at each of the triggers, with the λ that it was found with."""
    masks = torch.stack([torch.from_numpy(trigger.mask)[None] for trigger in found])
    patterns = torch.stack([torch.from_numpy(trigger.pattern) for trigger in found])
    cost = torch.tensor([trigger.cost for trigger in found])
    return Start(*(values.to(device) for values in (masks, patterns, cost)))
