"""A block takes the place of a larger patch, where it works."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nc_scan.detectors.paper import PAPER
from nc_scan.detectors.patch.blocks import with_blocks
from nc_scan.detectors.patch.settings import ADAPTIVE, PatchSettings
from nc_scan.detectors.replay import Replayed
from nc_scan.results import Trigger
from nc_scan.search import Budget, Found, OutOfTime

SIDE, BLOCK = 8, 2


def square(side: float) -> Trigger:
    """A bright square in the upper left corner, as opaque as it takes for a norm of side²."""
    mask, whole = np.zeros((SIDE, SIDE), np.float32), math.ceil(side)
    mask[:whole, :whole] = (side / whole) ** 2
    return Trigger(mask, np.ones((1, SIDE, SIDE), np.float32))


class Spares:
    """A model that answers label 1 to a bright first pixel, on so many of ten images; a dark last pixel spares one."""

    device = torch.device("cpu")

    def __init__(self, of_ten: int) -> None:
        images = np.full((10, 1, SIDE, SIDE), 0.5, np.float32)
        images[of_ten:, 0, -1, -1] = 0
        self.probes = SimpleNamespace(held_out=images, held_out_labels=np.zeros(10, np.int64))

    def labels_in_use(self, images):
        return ((images[:, 0, 0, 0] > 0.9) & (images[:, 0, -1, -1] > 0.1)).astype(np.int64)


def replaced(
    model: Spares,
    patch: float,
    status: str = "converged",
    shrunk: int = BLOCK,
    settings: PatchSettings = ADAPTIVE,
    out_of_time: bool = False,
) -> tuple[Replayed, list[float]]:
    """What label 1 has in the end, where the search found a patch of that side; and the success asked for again."""
    asked = []

    def shrink(label, params, settings) -> Found:  # noqa: ARG001
        asked.append(settings.success)
        if out_of_time:
            raise OutOfTime("the time was over")
        one = square(shrunk)
        values = {"mask": torch.from_numpy(one.mask)[None, None], "pattern": torch.from_numpy(one.pattern)[None]}
        return Found(label, values, float(shrunk**2), "converged", 0.1, 1.0)

    found = {0: Replayed(square(1), "converged", 1.0), 1: Replayed(square(patch), status, 1.0)}
    after = with_blocks(model, model.probes, found, {1: square(BLOCK)}, settings, Budget(), shrink)
    assert after[0] == found[0]
    return after[1], asked


@pytest.mark.parametrize(
    ("of_ten", "patch", "status", "side"),
    [
        (9, 6, "converged", BLOCK),
        (8, 6, "converged", BLOCK),
        (7, 6, "converged", 6),  # turns too few
        (9, BLOCK, "converged", BLOCK),  # is no smaller
        (10, 3, "converged", BLOCK),  # 4 of 9 pixels
        (10, 2.5, "converged", 2.5),  # 4 of 6.25 pixels: not much smaller
        (9, 1, "converged", 1),
        (9, 1, "not_converged", BLOCK),  # anything that works is better than nothing
    ],
)
def test_a_block_that_works_replaces_a_larger_patch(of_ten: int, patch: float, status: str, side: float) -> None:
    one, _ = replaced(Spares(of_ten), patch, status)
    assert one.pixels == pytest.approx(side**2)
    assert one.status == "converged"
    assert one.rate == (of_ten / 10 if side == BLOCK and patch != BLOCK else 1.0)


def test_from_the_block_on_no_more_is_asked_for_than_it_turned() -> None:
    one, asked = replaced(Spares(9), 6, shrunk=1)
    assert asked == [0.9]
    assert (one.pixels, one.rate) == (1, 0.9)
    assert replaced(Spares(10), 6)[1] == [ADAPTIVE.success]


def test_a_block_stays_as_it_is_where_nothing_is_polished_or_no_time_is_left() -> None:
    for one, asked in (replaced(Spares(9), 6, shrunk=1, settings=PAPER), replaced(Spares(9), 6, out_of_time=True)):
        assert one.pixels == BLOCK**2
        assert len(asked) <= 1
