"""The objective in pieces is the objective."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nc_scan.search import objective as module
from nc_scan.search.objective import Objective, away, towards, towards_from_others
from nc_scan.search.passes import passes_on
from nc_scan.triggers import Affine, Patch

SIDE, BATCH, SEARCHES, LABELS = 6, 20, 5, 3


def scores(images: Tensor) -> Tensor:
    weights = torch.linspace(-1, 1, 3 * SIDE * SIDE * LABELS).view(LABELS, -1)
    return torch.tanh(images.flatten(1)) @ weights.sin().T


def to_label(logits: Tensor, label: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    return F.cross_entropy(logits, label.expand(len(own))), logits.argmax(1) == label


def from_own(logits: Tensor, _label: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    chance = logits.double().softmax(1).gather(1, own[:, None])[:, 0]
    return -(1 - chance).log().mean().float(), logits.argmax(1) != own


def formula(loss, batch: Tensor, own: Tensor, mask: Tensor, pattern: Tensor, label: Tensor, cost: Tensor):
    """A search at a time."""
    logits = scores((1 - mask) * (batch * 2 - 1) + mask * (pattern * 2 - 1))
    value, turned = loss(logits, label, own)
    return value + cost * mask.sum(), turned.float().mean()


@pytest.mark.parametrize(("loss", "reference"), [(towards, to_label), (away, from_own)])
@pytest.mark.parametrize("images", [1, 7, 8, 20, 45, 1000])
def test_pieces_of_any_size(images: int, loss, reference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASS_IMAGES", 1)
    monkeypatch.setitem(module.PASS_VALUES, "cpu", images * 3 * SIDE * SIDE)
    generator = torch.Generator().manual_seed(0)
    batch = torch.rand(BATCH, 3, SIDE, SIDE, generator=generator)
    masks = torch.rand(SEARCHES, 1, SIDE, SIDE, generator=generator).requires_grad_()
    patterns = torch.rand(SEARCHES, 3, SIDE, SIDE, generator=generator).requires_grad_()
    labels = torch.tensor([0, 2, 1, 1, 0])
    cost = torch.tensor([0.0, 0.1, 0.01, 0.5, 0.02])
    own = torch.arange(BATCH) % LABELS
    params = {"mask": masks, "pattern": patterns}
    with passes_on(torch.device("cpu")) as run_all:
        objective = Objective(Patch(), scores, Affine((2.0,), (-1.0,)), loss, run_all)
        losses, turned, gradients = objective(batch, own, params, labels, cost)
    for row in range(SEARCHES):
        value, share = formula(reference, batch, own, masks[row], patterns[row], labels[row], cost[row])
        to_mask, to_pattern = torch.autograd.grad(value, (masks, patterns))
        found = losses[row], turned[row], gradients["mask"][row], gradients["pattern"][row]
        for ours, theirs in zip(found, (value.detach(), share, to_mask[row], to_pattern[row]), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_images_that_have_the_label_anyway_do_not_count_as_turned() -> None:
    """Two of four images have the goal 1 anyway, of the others one is turned; of the two not of label 0 none is."""
    logits = torch.eye(2)[torch.tensor([1, 1, 1, 0])].expand(2, -1, -1) * 5
    goals, own = torch.tensor([1, 0]), torch.tensor([1, 1, 0, 0])
    losses, turned, counts = towards_from_others(logits, goals, own)
    assert turned.tolist() == [[False, False, True, False], [False] * 4]
    assert counts.tolist() == [[False, False, True, True], [True, True, False, False]]
    assert torch.equal(losses, towards(logits, goals, own)[0])


@pytest.mark.parametrize("values", [1, 3 * SIDE * SIDE * BATCH])
def test_the_share_is_that_of_the_images_that_count(monkeypatch: pytest.MonkeyPatch, values: int) -> None:
    """However the batch is split: the first half has the goal anyway, all of the others are turned, or none counts."""
    monkeypatch.setitem(module.PASS_VALUES, "cpu", values)
    images = torch.rand(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    own = torch.arange(BATCH) // (BATCH // 2)
    params = Patch().start(images, 2, 1, torch.Generator().manual_seed(0))
    params = {name: tensor.requires_grad_() for name, tensor in params.items()}
    always = lambda images: 9 * torch.eye(LABELS)[0] + 0 * images.mean((1, 2, 3))[:, None]  # noqa: E731
    with passes_on(images.device) as run_all:
        objective = Objective(Patch(), always, Affine((1.0,), (0.0,)), towards_from_others, run_all)
        for labels, share in ((own, 1.0), (torch.zeros_like(own), 0.0)):
            _, turned, _ = objective(images, labels, params, torch.tensor([0, 1]), torch.tensor([0.1, 0.1]))
            assert turned.tolist() == [share, 0.0]
