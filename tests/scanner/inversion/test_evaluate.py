"""The objective in pieces is the objective."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nc_scan.inversion import evaluate
from nc_scan.inversion.evaluate import evaluate_triggers
from nc_scan.inversion.passes import passes_on

SIDE, BATCH, SEARCHES, LABELS = 6, 20, 5, 3


def scores(images: Tensor) -> Tensor:
    weights = torch.linspace(-1, 1, 3 * SIDE * SIDE * LABELS).view(LABELS, -1)
    return torch.tanh(images.flatten(1)) @ weights.sin().T


def objective(batch: Tensor, mask: Tensor, pattern: Tensor, label: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
    """The formula, a search at a time."""
    logits = scores((1 - mask) * (batch * 2 - 1) + mask * (pattern * 2 - 1))
    loss = F.cross_entropy(logits, label.expand(len(batch))) + cost * mask.sum()
    return loss, (logits.argmax(1) == label).float().mean()


@pytest.mark.parametrize("images", [1, 7, 8, 20, 45, 1000])
def test_pieces_of_any_size(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "PASS_IMAGES", 1)
    monkeypatch.setitem(evaluate.PASS_VALUES, "cpu", images * 3 * SIDE * SIDE)
    generator = torch.Generator().manual_seed(0)
    batch = torch.rand(BATCH, 3, SIDE, SIDE, generator=generator)
    masks = torch.rand(SEARCHES, 1, SIDE, SIDE, generator=generator).requires_grad_()
    patterns = torch.rand(SEARCHES, 3, SIDE, SIDE, generator=generator).requires_grad_()
    labels = torch.tensor([0, 2, 1, 1, 0])
    cost = torch.tensor([0.0, 0.1, 0.01, 0.5, 0.02])
    with passes_on(torch.device("cpu")) as run_all:
        found = evaluate_triggers(scores, (2.0,), (-1.0,), run_all, batch, (masks, patterns, labels, cost))
    for row in range(SEARCHES):
        loss, turned = objective(batch, masks[row], patterns[row], labels[row], cost[row])
        gradients = torch.autograd.grad(loss, (masks, patterns))
        expected = (loss.detach(), turned, gradients[0][row], gradients[1][row])
        for ours, reference in zip(found, expected, strict=True):
            torch.testing.assert_close(ours[row], reference, rtol=1e-4, atol=1e-6)
