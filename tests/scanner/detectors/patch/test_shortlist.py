"""Of many labels those are searched for that a short look singles out, and some drawn at random."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tests.scanner.detectors.patch.test_smallest import PATCH, SIDE, probes, search
from torch import Tensor

from nc_scan.detectors.patch import shortlist, smallest_patches
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.detectors.patch.smallest import foreseen_passes
from nc_scan.search import Budget, Found, Round, race
from nc_scan.search.search import Search

MANY, TARGETS = 60, (17, 41)


def crowd(images: Tensor) -> Tensor:
    """Sixty labels by the mean colours of 4x4 blocks, and white 3x3 corners that make two of them win by far."""
    weights = torch.randn(48, MANY, generator=torch.Generator().manual_seed(1))
    scores = torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1) @ weights
    corners = images[:, :, -PATCH:, -PATCH:], images[:, :, :PATCH, :PATCH]
    for target, corner in zip(TARGETS, corners, strict=True):
        scores[:, target] = scores[:, target] - 10 + 80 * corner.mean((1, 2, 3)) ** 3
    return scores


def test_of_many_labels_the_planted_ones_are_on_the_shortlist() -> None:
    budget = Budget(foreseen_passes(ADAPTIVE, MANY, (3, SIDE, SIDE)))
    found = search(crowd, range(MANY), settings=ADAPTIVE, budget=budget)
    assert ADAPTIVE.shortlist is not None
    assert len(found) <= ADAPTIVE.shortlist.raced + ADAPTIVE.shortlist.nearest
    assert {one.goal for one in sorted(found, key=lambda one: one.rank)[:2]} == set(TARGETS)
    assert budget.spent <= budget.foreseen * 1.5
    everything = foreseen_passes(dataclasses.replace(ADAPTIVE, shortlist=None), MANY, (3, SIDE, SIDE))
    assert budget.spent < 0.7 * everything


def test_only_labels_that_blocks_bring_near_or_move_run_the_race(monkeypatch: pytest.MonkeyPatch) -> None:
    raced: list[int] = []

    def listening(search: Search, goals: Sequence[int], *settings: Any) -> list[Found]:
        raced.extend(goals)
        return race(search, goals, *settings)

    monkeypatch.setattr(shortlist, "race", listening)
    assert ADAPTIVE.shortlist is not None
    few = dataclasses.replace(ADAPTIVE.shortlist, considered=4)
    found = search(crowd, range(MANY), settings=dataclasses.replace(ADAPTIVE, shortlist=few, suspects=0, polish=()))
    assert {one.goal for one in sorted(found, key=lambda one: one.rank)[:2]} == set(TARGETS)
    assert set(TARGETS) < set(raced)
    assert len(raced) == len(set(raced)) <= 8


def test_labels_that_were_drawn_are_searched_in_any_case() -> None:
    few = dataclasses.replace(ADAPTIVE, rounds=(Round(4, 2, 4),), suspects=0, polish=())
    generator, drawn = torch.Generator().manual_seed(0), (3, 5, 59)
    patches = smallest_patches(
        crowd, probes(64, 9), range(MANY), few, generator=generator, budget=Budget(), drawn=drawn
    )
    goals = [one.goal for one in patches.found]
    assert set(drawn) <= set(goals)
    assert goals == sorted(goals)
