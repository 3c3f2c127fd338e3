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
    size = max(1, PASS_VALUES.get(batch.device.type, CHUNK_VALUES) // batch.numel())

    def one_pass(searches: Searches) -> Tensors:
        mask, pattern, label, cost = searches
        stamped = apply_trigger(batch, mask, pattern, scale=scale, offset=offset, channels_last=True)
        logits = scores(stamped.flatten(0, 1))
        targets = label.repeat_interleave(len(batch))
        entropy = F.cross_entropy(logits, targets, reduction="none").view(-1, len(batch)).mean(1)
        losses = entropy + cost * mask.sum((1, 2, 3))
        turned = (logits.argmax(1) == targets).float().view(-1, len(batch)).mean(1)
        return losses.detach(), turned, *torch.autograd.grad(losses.sum(), (mask, pattern))

    pieces = list(zip(*(torch.split(values, size) for values in searches), strict=True))
    return tuple(torch.cat(parts) for parts in zip(*run_all(one_pass, pieces), strict=True))
