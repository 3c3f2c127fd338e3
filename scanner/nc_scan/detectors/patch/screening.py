"""How much one block of one colour alone moves each label: where a search best starts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nc_scan.search.objective import CHUNK_VALUES, PASS_VALUES, Scores, away
from nc_scan.search.passes import RunAll, Tensors
from nc_scan.triggers import Affine, Patch

GRID = 8  # blocks along the longer side, at most
PROBES = 8
CHANNELS = 3  # of which each block tries every combination of dark and bright; further ones repeat them
OUT_OF_REACH = -100.0  # nats: below that a label's log probability is counted no lower, so that it stays finite


class BlockEffects(NamedTuple):
    """What blocks do to the mean log probability of each label, in nats.

    `change` (blocks, colours, labels) by each block of each colour, `plain` (labels,) without any.
    """

    change: Tensor
    plain: Tensor

    @property
    def nearest(self) -> Tensor:
        """The mean log probability of each label (labels,) under the block that raises it most."""
        return self.plain + self.most_moved

    @property
    def most_moved(self) -> Tensor:
        """By how much the block that raises each label (labels,) most does."""
        return self.change.flatten(0, 1).amax(0)


def screened_images(channels: int, height: int, width: int, probes: int = PROBES) -> int:
    """How many images with a block on them the screening computes with so many probes of that size."""
    return block_count(height, width) * len(cube_corners(channels)) * min(PROBES, probes)


def block_effects(
    scores: Scores, images: Tensor, affine: Affine, run_all: RunAll, own: Tensor | None = None
) -> BlockEffects:
    """The mean change of each label's log probability by an opaque block, over a few probes.

    With the labels `own` (B,) of the images there is one value in place of one a label: of any label but their own.

    This is occlusion sensitivity (Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014,
    section 4.1) with the corners of the colour cube in place of grey. A forward pass tells it for all labels at once.
    """
    channels, height, width = images.shape[1:]
    probes, colours = images[:PROBES], cube_corners(channels).to(images)
    labels = torch.zeros(len(probes), dtype=torch.int64) if own is None else own[:PROBES]
    numbers, count = block_numbers(height, width).to(images.device), block_count(height, width)
    patterns = colours[:, :, None, None].expand(-1, -1, height, width).contiguous()

    @torch.no_grad()
    def one_pass(piece: Tensors) -> Tensors:
        part, label, block = piece
        masks = (numbers == block).to(part).expand(len(colours), 1, height, width).contiguous()
        stamped = Patch().stamp(part, {"mask": masks, "pattern": patterns}, affine)
        logits = scores(stamped.flatten(0, 1)).view(len(colours), len(part), -1)
        known = logits.log_softmax(2) if own is None else -away(logits, label, label)[0][..., None]
        return (known.clamp(min=OUT_OF_REACH).sum(1),)

    size = max(1, PASS_VALUES.get(images.device.type, CHUNK_VALUES) // patterns.numel())
    parts = list(zip(torch.split(probes, size), torch.split(labels, size), strict=True))
    blocks = torch.arange(-1, count, device=images.device)  # the first is nowhere: the probes as they are
    sums = run_all(one_pass, [(*part, block) for block in blocks for part in parts])
    by_block = torch.stack([values for (values,) in sums]).view(count + 1, len(parts), len(colours), -1).sum(1)
    return BlockEffects((by_block[1:] - by_block[:1]) / len(probes), by_block[0, 0] / len(probes))


def block_numbers(height: int, width: int) -> Tensor:
    """The number of the block (H, W), int64, that each pixel lies in; the last of a row or column may be cut."""
    side = -(-max(height, width) // GRID)
    return torch.arange(height)[:, None] // side * -(-width // side) + torch.arange(width) // side


def block_count(height: int, width: int) -> int:
    """How many blocks cover an image."""
    return int(block_numbers(height, width)[-1, -1]) + 1


def cube_corners(channels: int) -> Tensor:
    """The colours (N, C), 0 or 1 in each channel."""
    count = 2 ** min(channels, CHANNELS)
    return torch.tensor(
        [[number >> (channel % CHANNELS) & 1 for channel in range(channels)] for number in range(count)]
    )
