"""How much one block of one colour alone moves each label: where a search best starts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nc_kernels import apply_trigger
from nc_scan.inversion.evaluate import PASS_VALUES, Scores
from nc_scan.inversion.passes import RunAll, Tensors

GRID = 8  # blocks along the longer side
PROBES = 8
CHANNELS = 3  # of which each block tries every combination of dark and bright; further ones repeat them


def screened_images(images: Tensor) -> int:
    """How many stamped images the screening with these probes (B, C, H, W) computes."""
    return len(block_masks(*images.shape[2:])) * len(cube_corners(images.shape[1])) * min(PROBES, len(images))


def block_effects(
    scores: Scores, images: Tensor, scale: Sequence[float], offset: Sequence[float], run_all: RunAll
) -> Tensor:
    """Mean change of each label's log probability (blocks, colours, labels) by an opaque block, over a few probes.

    This is occlusion sensitivity (Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014,
    section 4.1) with the corners of the colour cube in place of grey. One forward pass tells it for all labels at once.
    """
    probes = images[:PROBES]
    blocks, colours = block_masks(*images.shape[2:]).to(images), cube_corners(images.shape[1]).to(images)
    patterns = colours[:, :, None, None].expand(-1, -1, *images.shape[2:]).contiguous()

    @torch.no_grad()
    def one_pass(piece: Tensors) -> Tensors:
        part, mask = piece
        masks = mask.expand(len(colours), -1, -1, -1).contiguous()
        stamped = apply_trigger(part, masks, patterns, scale=scale, offset=offset, channels_last=True)
        return (scores(stamped.flatten(0, 1)).log_softmax(1).view(len(colours), len(part), -1).sum(1),)

    size = max(1, PASS_VALUES.get(images.device.type, patterns.numel() * PROBES) // patterns.numel())
    parts = torch.split(probes, size)
    nothing = torch.zeros_like(blocks[:1])
    sums = run_all(one_pass, [(part, mask[None]) for mask in torch.cat([nothing, blocks]) for part in parts])
    by_block = torch.stack([values for (values,) in sums]).view(len(blocks) + 1, len(parts), len(colours), -1).sum(1)
    return (by_block[1:] - by_block[:1]) / len(probes)


def block_masks(height: int, width: int) -> Tensor:
    """The blocks (N, 1, H, W), 0 or 1, that cover an image, row after row; the last of a row or column may be cut."""
    side = -(-max(height, width) // GRID)
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    across = int(columns[-1]) + 1
    number = rows[:, None] * across + columns
    return torch.nn.functional.one_hot(number).permute(2, 0, 1)[:, None].float()


def cube_corners(channels: int) -> Tensor:
    """The colours (N, C), 0 or 1 in each channel."""
    count = 2 ** min(channels, CHANNELS)
    return torch.tensor(
        [[number >> (channel % CHANNELS) & 1 for channel in range(channels)] for number in range(count)]
    )
