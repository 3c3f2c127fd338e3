"""The objective and its gradients for many triggers at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nc_scan.search.passes import RunAll, Tensors
from nc_scan.triggers import Affine, Params, TriggerFamily

CHUNK_VALUES = 32_000_000  # input values (searches x batch x channels x height x width) that one step may hold
PASS_VALUES = {"cpu": 125_000}  # of them in one pass of the network: its activations then stay in a core's cache
PASS_IMAGES = 8  # at least: larger images fit no cache anyway
PASSES = 4  # a step, where there are as many searches: few searches then still occupy several cores

Scores = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Of logits (rows, B, labels), goals (rows,) and the images' own labels (B,): losses, whether turned, and whether that
counts (rows, B)."""


def towards(logits: Tensor, goals: Tensor, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG001
    """Cross-entropy to each row's goal, a label; an image is turned where it gets that label."""
    rows, images, _ = logits.shape
    targets = goals.repeat_interleave(images)
    losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none").view(rows, images)
    turned = (logits.flatten(0, 1).argmax(1) == targets).view(rows, images)
    return losses, turned, torch.ones_like(turned)


def towards_from_others(logits: Tensor, goals: Tensor, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same, but only images of other labels count: where all have the label anyway, none is turned."""
    losses, turned, _ = towards(logits, goals, own)
    others = own != goals[:, None]
    return losses, turned & others, others


def away(logits: Tensor, goals: Tensor, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG001
    """-log(1 - p) of the images' own labels, whatever the goal; an image is turned where it gets another label."""
    index = own.expand(len(logits), -1)[..., None]
    others = torch.full_like(logits, 0).scatter_(2, index, -torch.inf) + logits
    losses = logits.logsumexp(2) - others.logsumexp(2)
    turned = logits.argmax(2) != own
    return losses, turned, torch.ones_like(turned)


def images_a_pass(image: Tensor) -> int:
    """How many images like this one (C, H, W) go through the network in one pass, at most."""
    return max(PASS_IMAGES, PASS_VALUES.get(image.device.type, CHUNK_VALUES) // image.numel())


def rows_a_pass(stack: Tensor) -> int:
    """How many rows of a stack (rows, ...) a pass takes at most, so that every core has one."""
    return -(-len(stack) // PASSES)


@dataclass(frozen=True)
class Objective:
    """loss(scores(stamped images), goal) + cost * size of the trigger (Wang et al. 2019, equation 3)."""

    family: TriggerFamily
    scores: Scores
    affine: Affine
    loss: Loss
    run_all: RunAll

    def __call__(
        self, images: Tensor, own: Tensor, params: Params, goals: Tensor, cost: Tensor
    ) -> tuple[Tensor, Tensor, Params]:
        """For every search its loss, the share that it turns of the images that count (rows,), and the gradients.

        Args:
            images, own: (B, C, H, W) in [0, 1] and the labels (B,) that the model gives them.
            params, goals, cost: one row a search.
        """
        names = list(params)

        def one_pass(piece: Tensors) -> Tensors:
            """Sums over the images of the piece."""
            part, labels, goal, *values = piece
            stamped = self.family.stamp(part, dict(zip(names, values, strict=True)), self.affine)
            logits = self.scores(stamped.flatten(0, 1)).view(*stamped.shape[:2], -1)
            losses, turned, counts = self.loss(logits, goal, labels)
            total = losses.sum(1)
            shares = turned.float().sum(1), counts.float().sum(1)
            return total.detach(), *shares, *torch.autograd.grad(total.sum(), values)

        most = images_a_pass(images[0])
        rows = max(1, min(most // len(images), rows_a_pass(goals)))
        chunks = list(zip(*(torch.split(values, rows) for values in (goals, *params.values())), strict=True))
        parts = list(zip(torch.split(images, most), torch.split(own, most), strict=True))
        sums = self.run_all(one_pass, [(*part, *chunk) for chunk in chunks for part in parts])
        by_chunk = [
            map(sum, zip(*sums[first : first + len(parts)], strict=True)) for first in range(0, len(sums), len(parts))
        ]
        total, turned, counted, *sums_of_gradients = (torch.cat(values) for values in zip(*by_chunk, strict=True))
        losses, *gradients = (values / len(images) for values in (total, *sums_of_gradients))
        priced = cost * self.family.size(params)
        of_size = torch.autograd.grad(priced.sum(), list(params.values()), allow_unused=True)
        added = [g if extra is None else g + extra for g, extra in zip(gradients, of_size, strict=True)]
        return losses + priced.detach(), turned / counted.clamp(min=1), dict(zip(names, added, strict=True))
