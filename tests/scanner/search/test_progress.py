"""Which searches go on, and which of their triggers count."""

import dataclasses

import pytest
import torch

from nc_scan.detectors.paper import PAPER
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.search import SearchSettings
from nc_scan.search.progress import SearchProgress
from nc_scan.triggers import Params, Patch

STEPS = 20


def one_pixel(values: list[float]) -> Params:
    """Patches on images of one pixel."""
    mask = torch.tensor(values).view(-1, 1, 1, 1)
    return {"mask": mask, "pattern": mask.clone()}


def after(
    sizes: list[list[float]],
    turned: list[float],
    losses: list[float],
    labels: list[int],
    settings: SearchSettings = ADAPTIVE,
) -> SearchProgress:
    """The state after one step for each line of `sizes`: the value of the one pixel of each search's mask."""
    cost = torch.full((len(labels),), settings.cost)
    progress = SearchProgress(Patch(), torch.tensor(labels), one_pixel(sizes[0]), cost, settings)
    for line in sizes:
        progress.update(one_pixel(line), torch.tensor(turned).float(), torch.tensor(losses).float())
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
def test_the_best_searches(settings: SearchSettings, turned: list[float], losses: list[float], best: list[int]) -> None:
    progress = after(SHRINKING, turned, losses, [7, 7, 7], settings)
    for count in (1, 2, 3):
        assert progress.best(count).tolist() == sorted(best[:count])


def test_where_no_trigger_succeeds_the_mask_is_the_whole_image() -> None:
    progress = after(SHRINKING, [1, 0.5, 1], [0, 0, 0], [7, 7, 7])
    assert progress.params["mask"].flatten().tolist() == pytest.approx([0.5, 1.0, 0.3])
    assert progress.size.isfinite().tolist() == [True, False, True]


def test_every_label_keeps_its_own_best() -> None:
    progress = after([[0.4, 0.1, 0.3, 0.2]] * STEPS, [1] * 4, [0] * 4, [5, 6, 5, 6])
    assert progress.best(1).tolist() == [1, 2]
    progress.keep(progress.best(1))
    assert progress.goals.tolist() == [6, 5]
    assert progress.size.tolist() == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize(("turned", "up"), [(1.0, True), (0.9, False)])
def test_the_cost_follows_the_success(turned: float, up: bool) -> None:
    progress = after([[0.5]] * STEPS, [turned], [0.0], [0])
    factor = ADAPTIVE.cost_up if up else 1 / ADAPTIVE.cost_down
    assert progress.cost.item() == pytest.approx(ADAPTIVE.cost * factor**STEPS, rel=1e-4)
    assert bool(progress.size.isfinite()) == up


def test_a_record_needs_a_filled_memory() -> None:
    """The first steps' masks say little, however small."""
    small_at_first = [[0.01]] * 2 + [[0.5]] * STEPS
    assert after(small_at_first[:2], [1.0], [0.0], [0]).size.item() == float("inf")
    settings = dataclasses.replace(ADAPTIVE, memory=0.5)
    assert after(small_at_first[:2], [1.0], [0.0], [0], settings).size.item() == pytest.approx(0.01)
