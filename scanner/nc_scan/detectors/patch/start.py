"""Where patch searches start: at blocks that move the label, at random, or at triggers found before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from nc_scan.detectors.patch.screening import block_numbers, cube_corners
from nc_scan.search import SearchSettings, Start
from nc_scan.triggers import Params, Patch

MOVES = 1e-3  # nats: where no block moves a label by more, its guided mask is faint or empty


def first_starts(
    labels: Sequence[int],
    effects: Tensor | None,
    images: Tensor,
    settings: SearchSettings,
    generator: Generator,
    reached: Mapping[int, Params] | None = None,
) -> Start:
    """The starts of a search: for each label one at the blocks that move it, if `effects` are known, the others random.

    `effects` (blocks, colours, labels) are those of all labels. `reached` are the triggers, one row each, at which the
    search for some labels starts instead.
    """
    count = len(labels)
    params = Patch().start(images, count, settings.starts - (effects is not None), generator)
    if effects is not None:
        guided = guided_triggers(effects[:, :, list(labels)], images)
        for row, label in enumerate(labels):
            for name, values in (reached or {}).get(label, {}).items():
                guided[name][row] = values[0]
        by_label = {name: values.view(count, -1, *values.shape[1:]) for name, values in params.items()}
        params = {
            name: torch.cat([guided[name][:, None], values], 1).flatten(0, 1) for name, values in by_label.items()
        }
    return Start(params, torch.full((count * settings.starts,), settings.cost, device=images.device))


def guided_triggers(effects: Tensor, images: Tensor) -> Params:
    """One trigger a label, by what blocks of each colour do to it (blocks, colours, labels).

    Every block has the colour that moves the label most. The one that moves it most of all is opaque; the others are
    the weaker, the less they move it.
    """
    strongest, colour = effects.max(1)
    share = (strongest / strongest.amax(0).clamp(min=MOVES)).clamp(0, 1)
    numbers = block_numbers(*images.shape[2:]).to(images.device)
    masks = share.square().T[:, None, numbers]
    patterns = cube_corners(images.shape[1]).to(images)[colour.T][:, numbers].permute(0, 3, 1, 2)
    return {"mask": masks, "pattern": patterns}


def strongest_block(change: Tensor, images: Tensor) -> Params:
    """The opaque block that moves a label most, one row, by what blocks of each colour do to it (blocks, colours)."""
    place, colour = divmod(int(change.argmax()), change.shape[1])
    height, width = images.shape[2:]
    mask = (block_numbers(height, width) == place).float()[None, None]
    pattern = cube_corners(images.shape[1])[colour].float()[None, :, None, None].expand(-1, -1, height, width)
    return {"mask": mask, "pattern": pattern}
