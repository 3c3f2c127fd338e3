"""Which searches go on, and which of their triggers count."""

import dataclasses

import pytest
import torch

from nc_scan.inversion import ADAPTIVE, PAPER, InversionSettings
from nc_scan.inversion.progress import SearchProgress

STEPS = 20


def after(
    sizes: list[list[float]],
    turned: list[float],
    losses: list[float],
    labels: list[int],
    settings: InversionSettings = ADAPTIVE,
) -> SearchProgress:
    """The state after one step for each line of `sizes`: the value of the one pixel of each search's mask."""
    first = torch.tensor(sizes[0]).view(-1, 1, 1, 1)
    cost = torch.full((len(labels),), settings.cost)
    progress = SearchProgress(torch.tensor(labels), first, first, cost, settings)
    for line in sizes:
        masks = torch.tensor(line).view(-1, 1, 1, 1)
        progress.update(masks, masks, torch.tensor(turned).float(), torch.tensor(losses).float())
    return progress


SHRINKING = [[0.5, 1.0 - step / STEPS, 0.3] for step in range(STEPS)]  # the second ends at 0.05, with a mean of 0.36


@pytest.mark.parametrize(
    ("settings", "turned", "losses", "best"),
    [
        (ADAPTIVE, [1, 1, 1], [0, 0, 0], [1, 2, 0]),
        (ADAPTIVE, [1, 0.5, 1], [0, 0, 0], [2, 0, 1]),
        (ADAPTIVE, [0.5, 0.5, 0.5], [3, 2, 1], [1, 2, 0]),
        (PAPER, [1, 1, 1], [1, 3, 2], [0, 2, 1]),
        (PAPER, [0, 1, 1], [1, 3, 2], [0, 2, 1]),
    ],
    ids=["smallest at last", "failing", "all failing", "loss", "loss alone"],
)
def test_the_best_searches(
    settings: InversionSettings, turned: list[float], losses: list[float], best: list[int]
) -> None:
    progress = after(SHRINKING, turned, losses, [7, 7, 7], settings)
    for count in (1, 2, 3):
        assert progress.best(count).tolist() == sorted(best[:count])


def test_where_no_trigger_succeeds_the_mask_is_the_whole_image() -> None:
    progress = after(SHRINKING, [1, 0.5, 1], [0, 0, 0], [7, 7, 7])
    assert progress.mask.flatten().tolist() == pytest.approx([0.5, 1.0, 0.3])
    assert progress.norm.isfinite().tolist() == [True, False, True]


def test_every_label_keeps_its_own_best() -> None:
    progress = after([[0.4, 0.1, 0.3, 0.2]] * STEPS, [1] * 4, [0] * 4, [5, 6, 5, 6])
    assert progress.best(1).tolist() == [1, 2]
    progress.keep(progress.best(1))
    assert progress.labels.tolist() == [6, 5]
    assert progress.norm.tolist() == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize(("turned", "up"), [(1.0, True), (0.9, False)])
def test_the_cost_follows_the_success(turned: float, up: bool) -> None:
    progress = after([[0.5]] * STEPS, [turned], [0.0], [0])
    factor = ADAPTIVE.cost_up if up else 1 / ADAPTIVE.cost_down
    assert progress.cost.item() == pytest.approx(ADAPTIVE.cost * factor**STEPS, rel=1e-4)
    assert bool(progress.norm.isfinite()) == up


def test_a_record_needs_a_filled_memory() -> None:
    """The first steps' masks say little, however small."""
    small_at_first = [[0.01]] * 2 + [[0.5]] * STEPS
    assert after(small_at_first[:2], [1.0], [0.0], [0]).norm.item() == float("inf")
    settings = dataclasses.replace(ADAPTIVE, memory=0.5)
    assert after(small_at_first[:2], [1.0], [0.0], [0], settings).norm.item() == pytest.approx(0.01)
