"""The objective and its gradients for many triggers at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from nc_kernels import apply_trigger
from nc_scan.inversion.passes import RunAll, Tensors

CHUNK_VALUES = 32_000_000  # input values (searches x batch x channels x height x width) that one step may hold
PASS_VALUES = {"cpu": 125_000}  # of them in one pass of the network: its activations then stay in a core's cache
PASS_IMAGES = 8  # at least: larger images fit no cache anyway
PASSES = 4  # a step, where there are as many searches: few searches then still occupy several cores

Scores = Callable[[Tensor], Tensor]
Searches = Tensors  # masks, patterns, labels, cost weights: one row a search
Evaluate = Callable[[Tensor, Searches], Tensors]


def evaluate_triggers(
    scores: Scores,
    scale: Sequence[float],
    offset: Sequence[float],
    run_all: RunAll,
    batch: Tensor,
    searches: Searches,
) -> Tensors:
    """For every search its loss and the share of the batch that it turns (searches,), and the gradients of the loss to
    masks and patterns."""
    masks, patterns, labels, cost = searches

    def one_pass(piece: Tensors) -> Tensors:
        """Sums over the images of the piece."""
        images, mask, pattern, label = piece
        stamped = apply_trigger(images, mask, pattern, scale=scale, offset=offset, channels_last=True)
        logits = scores(stamped.flatten(0, 1))
        targets = label.repeat_interleave(len(images))
        entropy = F.cross_entropy(logits, targets, reduction="none").view(-1, len(images)).sum(1)
        turned = (logits.argmax(1) == targets).float().view(-1, len(images)).sum(1)
        return entropy.detach(), turned, *torch.autograd.grad(entropy.sum(), (mask, pattern))

    images = max(PASS_IMAGES, PASS_VALUES.get(batch.device.type, CHUNK_VALUES) // batch[0].numel())
    rows = max(1, min(images // len(batch), -(-len(masks) // PASSES)))
    chunks = list(zip(*(torch.split(values, rows) for values in (masks, patterns, labels)), strict=True))
    parts = torch.split(batch, images)
    sums = run_all(one_pass, [(part, *chunk) for chunk in chunks for part in parts])
    by_chunk = [
        map(sum, zip(*sums[first : first + len(parts)], strict=True)) for first in range(0, len(sums), len(parts))
    ]
    entropy, turned, to_mask, to_pattern = (torch.cat(values) / len(batch) for values in zip(*by_chunk, strict=True))
    losses = entropy + cost * masks.detach().sum((1, 2, 3))
    return losses, turned, to_mask + cost.view(-1, 1, 1, 1), to_pattern
